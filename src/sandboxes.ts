// Composition root of the sandboxes: a CRM, an EHR and a marketing sink on loopback with a synthetic practice in them, and
// what the example configuration must be told to talk to them. Used by the demo and by the tests.
import { startFhirSandbox, type FhirSandbox } from "../connectors/fhir-r4/sandbox/index.ts";
import { startRecipientSandbox, type RecipientSandbox } from "../connectors/recipient/sandbox/index.ts";
import { startSalesforceSandbox, type SalesforceSandbox } from "../connectors/salesforce/sandbox/index.ts";
import type { SandboxOptions } from "./connector/sandbox.ts";
import type { Keys } from "./core/configuration.ts";
import { systemRandom, type Random } from "./core/ids.ts";
import { isJsonObject, type Json, type JsonObject } from "./core/json.ts";
import { publicJwk } from "./http/jwks.ts";
import { generatePractice, type Practice } from "./practice/practice.ts";
import type { Overrides } from "./settings/files.ts";

export interface SandboxesOptions {
  readonly keys: Keys;
  readonly seed: number;
  readonly patients: number;
  /** "Today" of the generated practice, milliseconds. */
  readonly at: number;
  readonly random?: Random;
  readonly crm?: SandboxOptions;
  readonly ehr?: SandboxOptions;
  readonly sink?: SandboxOptions;
  /** Laid over what the sandboxes need, for example shorter intervals. */
  readonly overrides?: Overrides;
}

export interface Sandboxes {
  readonly crm: SalesforceSandbox;
  readonly ehr: FhirSandbox;
  readonly sink: RecipientSandbox;
  readonly practice: Practice;
  /** The practice's contact id → the sandbox's own. */
  readonly contactIds: ReadonlyMap<string, string>;
  /** For `openConfiguration`. */
  readonly overrides: Overrides;
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const client = { clientId: "sluice-sandbox", username: "sluice.integration@harbor.example" };
const organizationId = "00D000000000001EAA";
/** All of the practice's data is older than this, milliseconds. */
const dated = 60_000;

export async function startSandboxes(options: SandboxesOptions): Promise<Sandboxes> {
  const random = options.random ?? systemRandom;
  const practice = generatePractice({ seed: options.seed, patients: options.patients, at: options.at });
  const secret = `whsec_${random(32).toString("base64")}`;
  const notices = `whsec_${random(32).toString("base64")}`;
  const publicKeys = options.keys.signing.map(publicJwk);
  const crm = await startSalesforceSandbox({
    ...options.crm,
    ...client,
    organizationId,
    publicKey: keyOf(publicKeys, "RS256"),
  });
  const ehr = await startFhirSandbox({
    ...options.ehr,
    clients: [
      {
        clientId: client.clientId,
        publicKeys,
        scopes: ["system/Patient.cruds", "system/Appointment.cruds", "system/Consent.rs"],
      },
    ],
  });
  const sink = await startRecipientSandbox({ ...options.sink, secret });
  const contactIds = fillCrm(crm, practice);
  for (const resource of [...practice.patients, ...practice.consents, ...practice.appointments]) {
    ehr.put(resource as Parameters<typeof ehr.put>[0], dated);
  }
  return {
    crm,
    ehr,
    sink,
    practice,
    contactIds,
    overrides: merge(overridesFor(crm, ehr, sink), options.overrides ?? {}),
    env: { MARKETING_WEBHOOK_SECRET: secret, CRM_WEBHOOK_SECRET: notices },
    async close() {
      await Promise.all([crm.close(), ehr.close(), sink.close()]);
    },
  };
}

function keyOf(keys: readonly JsonObject[], alg: string): JsonObject {
  const key = keys.find((one) => one["alg"] === alg);
  if (!key) throw new TypeError(`no ${alg} key`);
  return key;
}

/** The sandbox gives ids of its own, as a CRM does; events then name the new ones. */
function fillCrm(crm: SalesforceSandbox, practice: Practice): ReadonlyMap<string, string> {
  const ids = new Map<string, string>();
  for (const contact of practice.contacts) ids.set(idOf(contact), crm.put("Contact", writable(contact), dated));
  for (const event of practice.events) {
    const who = typeof event["WhoId"] === "string" ? (ids.get(event["WhoId"]) ?? event["WhoId"]) : event["WhoId"];
    crm.put("Event", { ...writable(event), WhoId: who }, dated);
  }
  return ids;
}

function idOf(record: JsonObject): string {
  return typeof record["Id"] === "string" ? record["Id"] : "";
}

function writable(record: JsonObject): Record<string, Json | undefined> {
  const {
    Id: _id,
    SystemModstamp: _stamp,
    CreatedDate: _created,
    LastModifiedDate: _modified,
    IsDeleted: _deleted,
    ...rest
  } = record;
  return rest;
}

function overridesFor(crm: SalesforceSandbox, ehr: FhirSandbox, sink: RecipientSandbox): Overrides {
  return {
    systems: {
      crm: {
        identity: { organizationId },
        connection: { loginUrl: crm.origin, instanceUrl: crm.origin, audience: crm.origin },
        webhookSecret: "env:CRM_WEBHOOK_SECRET",
      },
      ehr: {
        identity: { issuer: ehr.baseUrl, tokenEndpoint: `${ehr.baseUrl}/token` },
        connection: { baseUrl: ehr.baseUrl },
      },
      marketing: {
        identity: { host: new URL(sink.url).host, keyId: "harbor-1" },
        connection: { url: sink.url },
      },
    },
  };
}

/** Objects are merged, all else is replaced. */
function merge(base: Overrides, over: Overrides): Overrides {
  return mergeObjects(base, over);
}

function mergeObjects(base: JsonObject, over: JsonObject): JsonObject {
  const merged: Record<string, Json | undefined> = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const before = merged[name];
    merged[name] = isJsonObject(before) && isJsonObject(value) ? mergeObjects(before, value) : value;
  }
  return merged;
}
