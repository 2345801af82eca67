// The people of a fault run: half of them start in the CRM, half in the EHR, each with visits, nobody with a malformed value
// and nobody with a consent that denies treatment or operations. It is also the truth that the run is measured by.
import type { Json, JsonObject } from "../../src/core/json.ts";
import { canarySource, type CanarySource } from "../../src/practice/canaries.ts";
import { consentsFor } from "../../src/practice/consents.ts";
import { appointment, fhirId, patient } from "../../src/practice/fhir.ts";
import { makePerson, type Person } from "../../src/practice/person.ts";
import { exampleRecipients } from "../../src/practice/practice.ts";
import { prng, type Prng } from "../../src/practice/prng.ts";
import { contact, event, salesforceId, type Stamped } from "../../src/practice/salesforce.ts";
import type { Sandboxes } from "../../src/sandboxes.ts";

export type Side = "crm" | "ehr";

/** A record pair as it should be in the end: mapped values by their names in `readings.ts`. */
export interface Truth {
  readonly key: string;
  readonly born: Side;
  readonly values: Record<string, string | undefined>;
}

const minute = 60_000;
const day = 86_400_000;
/** All of it is older than this, so that the first poll finds it behind every overlap. */
const agoMs = 60_000;

export class Population {
  /** By the canary in the first name, which nobody edits. */
  readonly persons = new Map<string, Truth>();
  /** By a number; a visit's start is unique for ever, also after edits, and says which visit it is. */
  readonly visits = new Map<string, Truth>();
  readonly canaries: CanarySource;
  readonly #visitOfStart = new Map<number, string>();
  readonly #random: Prng;
  readonly #at: number;
  #starts = 0;

  constructor(seed: number, at: number) {
    this.#random = prng(seed);
    this.canaries = canarySource(this.#random);
    this.#at = at;
  }

  fill(sandboxes: Sandboxes, patients: number): void {
    for (let index = 0; index < patients; index += 1) {
      const born: Side = index % 2 === 0 ? "crm" : "ehr";
      const person = makePerson({ place: born, trait: "plain" }, this.#at, this.#random, this.canaries, undefined);
      if (born === "crm") this.#bornInCrm(sandboxes, person);
      else this.#bornInEhr(sandboxes, person, index % 4 === 1);
      this.persons.set(keyOfGiven(person.given), { key: keyOfGiven(person.given), born, values: valuesOf(person) });
    }
  }

  /** A start that no visit has had, on a whole minute. */
  nextStart(visit: string): number {
    this.#starts += 1;
    const start = Math.floor(this.#at / day) * day + 3 * day + this.#starts * 15 * minute;
    this.#visitOfStart.set(start, visit);
    return start;
  }

  visitAt(start: string | undefined): string | undefined {
    return start === undefined ? undefined : this.#visitOfStart.get(Date.parse(start));
  }

  #bornInCrm({ crm }: Sandboxes, person: Person): void {
    const record = this.#stamp(salesforceId("003", 1));
    const id = crm.put("Contact", writable(contact(person, record, this.canaries)), agoMs);
    this.#addVisits("crm", person, (visit) => {
      const made = event(id, visit, this.#stamp(salesforceId("00U", 1)), this.#at, this.#random, this.canaries);
      crm.put("Event", { ...writable(made), WhoId: id, Visit_Status__c: "Proposed" }, agoMs);
    });
  }

  #bornInEhr({ ehr }: Sandboxes, person: Person, marketing: boolean): void {
    const record = this.#stamp(fhirId(this.#random));
    put(ehr, patient(person, record, this.#at, this.canaries));
    const next = (): Stamped => this.#stamp(fhirId(this.#random));
    const context = { patientId: record.id, at: this.#at, recipients: exampleRecipients, record: next };
    for (const consent of consentsFor(marketing ? "marketing-permit" : "none", context)) put(ehr, consent);
    this.#addVisits("ehr", person, (visit) => {
      const made = appointment(record.id, visit, next(), this.#at, this.#random, this.canaries);
      put(ehr, { ...made, status: "proposed" });
    });
  }

  #addVisits(
    born: Side,
    person: Person,
    make: (visit: { start: number; minutes: number; title: string }) => void,
  ): void {
    const count = 1 + this.#random.int(2);
    for (let n = 0; n < count; n += 1) {
      const key = `visit-${this.visits.size + 1}`;
      const start = this.nextStart(key);
      make({ start, minutes: 15, title: `Check-up ${this.canaries.name()}` });
      this.visits.set(key, {
        key,
        born,
        values: { person: keyOfGiven(person.given), status: "proposed", ...timesOf(start) },
      });
    }
  }

  #stamp(id: string): Stamped {
    return { id, changedAt: this.#at - day };
  }
}

/** Start and end as the truth keeps them. */
export function timesOf(start: number): { readonly start: string; readonly end: string } {
  return { start: new Date(start).toISOString(), end: new Date(start + 15 * minute).toISOString() };
}

/** `Ana-Xovaketiru` → `Xovaketiru`. */
export function keyOfGiven(given: string): string {
  return given.slice(given.lastIndexOf("-") + 1);
}

function valuesOf(person: Person): Record<string, string | undefined> {
  const text = (digits: string): string => `(${digits.slice(0, 3)}) ${digits.slice(3, 6)}-${digits.slice(6)}`;
  return {
    given: person.given,
    family: person.family,
    birthDate: person.birthDate,
    email: person.email,
    mobile: text(person.mobile),
    home: person.home === undefined ? undefined : text(person.home),
    street: person.street,
    city: person.city,
    state: person.state,
    zip: person.zip,
    country: "US",
  };
}

/** What a user may type in: not what the org assigns, nor the link id. */
function writable(record: JsonObject): Record<string, Json | undefined> {
  const assigned = ["Id", "SystemModstamp", "CreatedDate", "LastModifiedDate", "IsDeleted", "Sluice_Link_Id__c"];
  return Object.fromEntries(Object.entries(record).filter(([name]) => !assigned.includes(name)));
}

function put(ehr: Sandboxes["ehr"], resource: JsonObject): void {
  ehr.put(resource as Parameters<typeof ehr.put>[0], agoMs);
}
