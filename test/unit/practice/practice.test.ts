// The synthetic practice: repeats under its seed, holds every awkward case, and its consents mean what their labels say.
import assert from "node:assert/strict";
import fc from "fast-check";
import { isJsonObject, type Json, type JsonObject } from "../../../src/core/json.ts";
import type { RecordRef } from "../../../src/core/records.ts";
import { judgeConsent } from "../../../src/policy/consent.ts";
import { permissions } from "../../../src/practice/cast.ts";
import { generatePractice, type Practice } from "../../../src/practice/practice.ts";
import { salesforceId, withChecksum } from "../../../src/practice/salesforce.ts";

const at = Date.parse("2026-11-25T10:00:00Z");
const practice = generatePractice({ seed: 1, patients: 50, at });

function everything({ contacts, events, patients, appointments, consents }: Practice): readonly JsonObject[] {
  return [...contacts, ...events, ...patients, ...appointments, ...consents];
}

function textsIn(value: Json | undefined): string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap(textsIn);
  return isJsonObject(value) ? Object.values(value).flatMap(textsIn) : [];
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

function byId(records: readonly JsonObject[], id: string | undefined): JsonObject {
  const found = records.find((record) => record["id"] === id || record["Id"] === id);
  assert.ok(found, "the record is there");
  return found;
}

describe("practice: the generator", () => {
  it("gives the same practice for the same seed and another for another", () => {
    assert.deepEqual(generatePractice({ seed: 1, patients: 50, at }), practice);
    assert.notDeepEqual(generatePractice({ seed: 2, patients: 50, at }).contacts[0], practice.contacts[0]);
  });

  it("makes as many persons as asked for, whatever the seed, and a smaller practice is the beginning of a larger", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 0, max: 60 }), (seed, patients) => {
        const made = generatePractice({ seed, patients, at });
        assert.equal(made.expectations.length, patients);
        assert.deepEqual(
          generatePractice({ seed, patients: patients + 5, at }).contacts.slice(0, made.contacts.length),
          made.contacts,
        );
      }),
      { numRuns: 25 },
    );
  });

  it("holds every trait and every consent label in 50 persons, in the CRM only, the EHR only and both", () => {
    const { expectations } = practice;
    assert.equal(new Set(expectations.map(({ trait }) => trait)).size, 16);
    assert.deepEqual(new Set(expectations.map(({ consent }) => consent)), new Set(Object.keys(permissions)));
    assert.deepEqual(new Set(expectations.map(({ place }) => place)), new Set(["crm", "ehr", "both"]));
    for (const one of expectations) {
      assert.equal(one.contactId !== undefined, one.place !== "ehr");
      assert.equal(one.patientId !== undefined, one.place !== "crm");
    }
  });

  it("gives unique ids in the form of each system", () => {
    const salesforce = [...practice.contacts, ...practice.events].map((record) => text(record["Id"]));
    const fhir = [...practice.patients, ...practice.appointments, ...practice.consents].map((record) =>
      text(record["id"]),
    );
    assert.equal(new Set(salesforce).size, salesforce.length);
    assert.equal(new Set(fhir).size, fhir.length);
    for (const id of salesforce) assert.match(id, /^(003|00U)[A-Za-z0-9]{15}$/);
    for (const id of fhir) assert.match(id, /^[A-Za-z0-9.-]{1,64}$/);
  });

  it("computes the checksum of Salesforce ids", () => {
    // 001A0000006Vm9r and its 18-character form are Salesforce's own example.
    assert.equal(withChecksum("001A0000006Vm9r"), "001A0000006Vm9rIAC");
    assert.match(salesforceId("003", 62), /^003Hb0000000010[A-Z0-5]{3}$/);
  });

  it("writes the same person alike in both systems: name, birth date, and e-mail or phone", () => {
    const both = practice.expectations.filter(({ place }) => place === "both");
    assert.ok(both.length >= 10);
    for (const one of both) {
      const contact = byId(practice.contacts, one.contactId);
      const patient = byId(practice.patients, one.patientId);
      const texts = textsIn(patient);
      for (const field of ["LastName", "FirstName", "Birthdate"])
        assert.ok(texts.includes(text(contact[field])), field);
      assert.ok(texts.some((one) => one.toLowerCase() === text(contact["Email"]).toLowerCase()));
    }
  });

  it("has families of a parent and twins who share name, birthday, phone and e-mail", () => {
    const family = practice.expectations.filter(({ trait }) => trait.startsWith("family-")).slice(0, 3);
    const [parent, one, other] = family.map(({ contactId }) => byId(practice.contacts, contactId));
    for (const field of ["LastName", "MobilePhone", "Email", "MailingStreet"]) {
      assert.equal(one?.[field], parent?.[field]);
      assert.equal(other?.[field], parent?.[field]);
    }
    assert.equal(one?.["Birthdate"], other?.["Birthdate"]);
    assert.notEqual(one?.["FirstName"], other?.["FirstName"]);
    assert.notEqual(one?.["Birthdate"], parent?.["Birthdate"]);
  });

  it("keeps minors under 18 and the very old at 90 or more", () => {
    for (const one of practice.expectations) {
      const contact = one.contactId === undefined ? undefined : byId(practice.contacts, one.contactId);
      const birth = text(contact ? contact["Birthdate"] : byId(practice.patients, one.patientId)["birthDate"]);
      const age = (at - Date.parse(birth)) / (365.25 * 86_400_000);
      if (one.trait === "minor" || one.trait === "family-twin") assert.ok(age < 18);
      if (one.trait === "over-89") assert.ok(age >= 90);
    }
  });

  it("names calendar entries that are no visits, and only those", () => {
    const isVisit = (event: JsonObject): boolean =>
      event["IsAllDayEvent"] === false && event["IsPrivate"] === false && event["WhoId"] !== null;
    const noVisits = practice.events.filter((event) => !isVisit(event)).map((event) => event["Id"]);
    assert.deepEqual(noVisits, practice.noVisitIds);
    assert.ok(noVisits.length >= 3);
  });

  it("uses fictional phone numbers and reserved mail domains only", () => {
    for (const text of everything(practice).flatMap(textsIn)) {
      if (text.includes("@")) assert.match(text.toLowerCase(), /@((mail\.)?example\.(com|org)|harbor\.test)$/);
      if (/^(\+1 |\(|\d{3}-\d{3}-)/.test(text)) assert.match(text.replaceAll(/\D/g, ""), /55501\d\d$/);
    }
  });
});

describe("practice: canaries", () => {
  it("are unique, and each stands in one person's data", () => {
    const { phi, neverLeave } = practice.canaries;
    const texts = everything(practice).map((record) => textsIn(record).join("\n"));
    assert.equal(new Set([...phi, ...neverLeave]).size, phi.length + neverLeave.length);
    for (const canary of neverLeave) assert.equal(texts.filter((text) => text.includes(canary)).length, 1, canary);
    for (const canary of phi)
      assert.ok(
        texts.some((text) => text.includes(canary)),
        canary,
      );
    assert.ok(phi.length >= 50 && neverLeave.length >= 100);
  });

  it("of the class that never leaves stand in no field of the example mappings", () => {
    const mapped = (record: JsonObject, names: readonly string[]): string =>
      textsIn(names.map((name) => record[name] ?? null)).join("\n");
    const contacts = practice.contacts.map((contact) =>
      mapped(contact, ["LastName", "FirstName", "Email", "MobilePhone", "MailingStreet"]),
    );
    const visits = practice.events
      .filter(({ Id }) => !practice.noVisitIds.includes(text(Id)))
      .map((event) => mapped(event, ["Subject"]));
    for (const text of [...contacts, ...visits]) assert.ok(!text.includes("CANARY-"));
  });
});

describe("practice: consents", () => {
  const reference = (id: string): RecordRef => ({ system: "ehr", type: "Organization", id });
  const recipients = {
    treatment: {
      purpose: "TREAT",
      actor: reference("harbor-ehr"),
      requireConsent: false,
      implicit: "permit",
      deidentified: false,
    },
    operations: {
      purpose: "HOPERAT",
      actor: reference("harbor-crm"),
      requireConsent: false,
      implicit: "permit",
      deidentified: false,
    },
    marketing: {
      purpose: "HMARKT",
      actor: reference("harbor-marketing"),
      requireConsent: true,
      implicit: "deny",
      deidentified: true,
    },
  } as const;

  it("are judged as their labels say, for every recipient and purpose of the example", () => {
    const known = practice.expectations.filter(({ patientId }) => patientId !== undefined);
    for (const { patientId, consent, permissions: expected } of known) {
      const own = practice.consents.filter(({ patient }) => textsIn(patient).includes(`Patient/${patientId}`));
      assert.equal(own.length > 0, consent !== "none");
      for (const gate of ["treatment", "operations", "marketing"] as const) {
        const { actor, ...rest } = recipients[gate];
        const finding = judgeConsent({
          ...rest,
          actor: { references: [actor] },
          resource: "Patient",
          consents: own.map((resource) => ({
            ref: { system: "ehr", type: "Consent", id: text(resource["id"]) },
            version: "1",
            resource,
          })),
          patients: [{ system: "ehr", type: "Patient", id: patientId ?? "" }],
          at,
          timeZone: "America/New_York",
        });
        assert.equal(finding.outcome, expected[gate], `${consent}: ${gate}`);
        assert.ok(
          finding.trace.every(({ said }) => said !== "uncertain"),
          `${consent}: computable`,
        );
      }
    }
  });

  it("have what R4 demands of a Consent", () => {
    for (const consent of practice.consents) {
      for (const name of ["status", "scope", "category", "patient", "dateTime"])
        assert.ok(consent[name] !== undefined, name);
      // Constraints ppc-1 and ppc-2: a policy or a policy rule.
      assert.ok(consent["policy"] !== undefined || consent["policyRule"] !== undefined);
    }
  });
});
