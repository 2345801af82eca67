// The whole pipeline against a real FHIR R4 server instead of the sandbox EHR: fifty patients and their visits, both ways,
// with edits on both sides, until nothing moves any more.
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/core/clock.ts";
import { systemRandom } from "../../src/core/ids.ts";
import { openStates } from "../../src/core/records.ts";
import { startEmbedded, type Running } from "../../src/embedded.ts";
import { openConfiguration } from "../../src/cli/open.ts";
import { verifyStore } from "../../src/cli/audit.ts";
import { startSandboxes, type Sandboxes } from "../../src/sandboxes.ts";
import { loadKeys, makeKeys } from "../../src/settings/keys.ts";
import { pgliteTemplate } from "../backends/pglite-template.ts";
import { fhirServerForTests, type FhirServer } from "./fhir-server/start.ts";

interface Resource {
  readonly resourceType: string;
  readonly id: string;
  readonly [name: string]: unknown;
}

const half = 25;
const fast = {
  sluice: { retry: { base: "100ms", cap: "2s", maxAttempts: 20 }, lease: "30s" },
  channels: {
    "crm-to-ehr": { pollEvery: "500ms" },
    "ehr-to-crm": { pollEvery: "500ms" },
    "ehr-to-marketing": { mode: "off" },
  },
} as const;

describe("sync with a real FHIR server", function () {
  this.timeout(600_000);
  let server: FhirServer;
  let sandboxes: Sandboxes;
  let running: Running;
  let place: string;

  before(async function () {
    server = await fhirServerForTests(this);
    place = await mkdtemp(join(tmpdir(), "sluice-peer-"));
    const { references } = await makeKeys(join(place, "keys"), systemRandom);
    const keys = await loadKeys(references, { dir: place, env: {} });
    sandboxes = await startSandboxes({ keys, seed: 7, patients: 1, at: systemClock.now(), overrides: fast });
    const config = join(place, "config");
    await cp("config", config, { recursive: true });
    const metadata = (await (await fetch(`${server.url}/metadata`)).json()) as {
      implementation: { url?: string; description?: string };
    };
    await pointAt(config, server.url, metadata.implementation);
    await fill();
    const { ehr: _sandboxEhr, ...systems } = sandboxes.overrides.systems ?? {};
    const overrides = {
      ...sandboxes.overrides,
      systems,
      sluice: { ...fast.sluice, keys: { ...references, signing: [...references.signing] } },
    };
    const opened = await openConfiguration(config, { overrides, env: sandboxes.env });
    const queueTemplate = await pgliteTemplate();
    running = await startEmbedded({
      opened,
      keys,
      data: join(place, "data"),
      listen: "127.0.0.1:0",
      logLevel: "error",
      queueTemplate,
    });
  });
  after(async () => {
    await running?.close();
    await sandboxes?.close();
    await server?.close();
    if (place) await rm(place, { recursive: true, force: true });
  });

  it("comes to rest with both sides equal and nothing doubled", async () => {
    await quiet();
    await check();
    // Disjoint fields, edited on both sides at once.
    const contacts = [...sandboxes.crm.records("Contact").values()].filter((one) => one["LastName"] !== undefined);
    for (const [index, contact] of contacts.entries()) {
      const id = String(contact["Id"]);
      if (index % 2 === 0)
        sandboxes.crm.edit("Contact", id, { MobilePhone: `(555) 555-01${String(index).padStart(2, "0")}` });
    }
    for (const [index, patient] of (await all("Patient")).entries()) {
      if (index % 3 === 0)
        await put({
          ...patient,
          address: [
            {
              use: "home",
              line: [`${index} Quay Lane`],
              city: "Portland",
              state: "ME",
              postalCode: "04101",
              country: "US",
            },
          ],
        });
    }
    for (const [index, event] of [...sandboxes.crm.records("Event").values()].entries()) {
      if (index % 2 === 0) sandboxes.crm.edit("Event", String(event["Id"]), { Visit_Status__c: "Arrived" });
    }
    await quiet();
    await check();
  });

  async function check(): Promise<void> {
    console.log(JSON.stringify(await running.store.ledger.counts()));
    const patients = await all("Patient");
    const visits = await all("Appointment");
    const contacts = [...sandboxes.crm.records("Contact").values()];
    assert.equal(patients.length, 2 * half, "patients");
    assert.equal(contacts.length, 2 * half, "contacts");
    assert.equal(visits.length, 2 * half, "appointments");
    assert.equal(sandboxes.crm.records("Event").size, 2 * half, "events");
    for (const contact of contacts) {
      const twins = patients.filter((patient) => familyOf(patient) === contact["LastName"]);
      assert.equal(twins.length, 1);
      assert.equal(phoneOf(twins[0]), contact["MobilePhone"], String(contact["LastName"]));
      assert.equal(lineOf(twins[0]), contact["MailingStreet"], String(contact["LastName"]));
    }
    const counts = await running.store.ledger.counts();
    assert.deepEqual(
      counts.filter((one) => one.state === "quarantined"),
      [],
    );
    assert.equal((await verifyStore(running.store)).ok, true);
  }

  async function fill(): Promise<void> {
    for (const type of ["Event", "Contact"])
      for (const id of [...sandboxes.crm.records(type).keys()]) sandboxes.crm.remove(type, id);
    for (let index = 0; index < half; index += 1) {
      const who = sandboxes.crm.put("Contact", contactOf(index), 600_000);
      sandboxes.crm.put("Event", eventOf(who, index), 600_000);
      await put(patientOf(index));
      await put(appointmentOf(index));
    }
  }

  async function put(resource: Resource): Promise<void> {
    const response = await fetch(`${server.url}/${resource.resourceType}/${resource.id}`, {
      method: "PUT",
      headers: { "content-type": "application/fhir+json" },
      body: JSON.stringify(resource),
    });
    assert.ok(response.ok, `${response.status} ${await response.text()}`);
  }

  async function all(type: string): Promise<readonly Resource[]> {
    const headers = { "cache-control": "no-cache" };
    const bundle = (await (await fetch(`${server.url}/${type}?_count=500`, { headers })).json()) as {
      entry?: { resource: Resource }[];
    };
    return (bundle.entry ?? []).map((entry) => entry.resource);
  }

  /** Three full polls of both sides without a write, and nothing open. */
  async function quiet(): Promise<void> {
    let last = "";
    for (let calm = 0; calm < 10;) {
      await systemClock.sleep(500);
      const counts = await running.store.ledger.counts();
      const open = counts.filter((one) => openStates.includes(one.state));
      const mark = JSON.stringify([counts, sandboxes.crm.counts.writes]);
      calm = open.length === 0 && mark === last ? calm + 1 : 0;
      last = mark;
    }
  }
});

async function pointAt(
  config: string,
  url: string,
  implementation: { url?: string; description?: string },
): Promise<void> {
  const file = join(config, "systems", "ehr.yaml");
  const before = await readFile(file, "utf8");
  const identity = `identity:\n  baseUrl: ${url}\n  implementation: ${[implementation.url, implementation.description].filter(Boolean).join(" ")}\n`;
  const connection = `connection:\n  baseUrl: ${url}\n  overlapSeconds: 2\n`;
  const text = before
    .replace(/identity:\n(?: {2}.*\n|\n)+/, `${identity}\n`)
    .replace(/connection:\n(?: {2}.*\n|\n)+/, `${connection}\n`);
  await writeFile(file, text);
}

function contactOf(index: number): Record<string, unknown> {
  return {
    LastName: `Fromcrm${letters(index)}`,
    FirstName: "Ada",
    Birthdate: `19${60 + (index % 30)}-03-1${index % 10}`,
    Gender__c: "Female",
    Email: `crm${index}@example.com`,
    MobilePhone: `(555) 555-01${String(index).padStart(2, "0")}`,
    MailingStreet: `${index} Beacon Row`,
    MailingCity: "Duluth",
    MailingState: "MN",
    MailingPostalCode: "55802",
    MailingCountry: "US",
    Active__c: true,
    Deceased__c: false,
  };
}

function eventOf(who: string, index: number): Record<string, unknown> {
  const day = String(1 + (index % 27)).padStart(2, "0");
  return {
    WhoId: who,
    Subject: "Video visit",
    StartDateTime: `2027-01-${day}T15:00:00.000+0000`,
    EndDateTime: `2027-01-${day}T15:30:00.000+0000`,
    Visit_Status__c: "Booked",
    IsAllDayEvent: false,
    IsPrivate: false,
  };
}

function patientOf(index: number): Resource {
  return {
    resourceType: "Patient",
    id: `own-${letters(index).toLowerCase()}`,
    active: true,
    name: [{ use: "official", family: `Fromehr${letters(index)}`, given: ["Ben"] }],
    telecom: [{ system: "phone", use: "mobile", value: `(555) 555-02${String(index).padStart(2, "0")}` }],
    gender: "male",
    birthDate: `19${50 + (index % 40)}-07-2${index % 10}`,
    address: [
      {
        use: "home",
        line: [`${index} Lantern Street`],
        city: "Savannah",
        state: "GA",
        postalCode: "31401",
        country: "US",
      },
    ],
  };
}

function appointmentOf(index: number): Resource {
  const day = String(1 + (index % 27)).padStart(2, "0");
  return {
    resourceType: "Appointment",
    id: `visit-${letters(index).toLowerCase()}`,
    status: "booked",
    start: `2027-02-${day}T16:00:00.000Z`,
    end: `2027-02-${day}T16:30:00.000Z`,
    participant: [{ actor: { reference: `Patient/own-${letters(index).toLowerCase()}` }, status: "accepted" }],
  };
}

function letters(index: number): string {
  return String.fromCharCode(65 + Math.floor(index / 26), 97 + (index % 26));
}

interface Named {
  readonly name?: readonly { readonly family?: string }[];
  readonly telecom?: readonly { readonly use?: string; readonly system?: string; readonly value?: string }[];
  readonly address?: readonly { readonly line?: readonly string[] }[];
}

function familyOf(patient: unknown): string | undefined {
  return (patient as Named).name?.[0]?.family;
}

function phoneOf(patient: unknown): string | undefined {
  return (patient as Named).telecom?.find((one) => one.system === "phone" && one.use === "mobile")?.value;
}

function lineOf(patient: unknown): string | undefined {
  return (patient as Named).address?.[0]?.line?.join("\n");
}
