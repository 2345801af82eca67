// The shapes of the files under `config/`, one schema a kind of file. Unknown names are refused; every field says what it
// is for, since the JSON Schemas that editors use are made from here.
import { z } from "zod";
import { purposes } from "../core/decision.ts";
import { durationPattern, parseDuration } from "./duration.ts";

const text = z.string().trim().min(1, "may not be empty").max(2000);
const day = z.iso.date("a day is wanted, YYYY-MM-DD");
const idList = z.array(z.string().min(1)).min(1, "at least one is wanted");
const purpose = z.enum(purposes).describe("Purpose of use (v3-ActReason), for example TREAT, HOPERAT, HMARKT");
const resourceType = z.string().regex(/^[A-Z][A-Za-z]{1,63}$/, "a FHIR resource type is wanted, for example Patient");

const duration = z
  .string()
  .regex(durationPattern, { error: "a duration is wanted, for example 500ms, 30s, 15m, 2h, 7d", abort: true })
  .refine((value) => parseDuration(value) !== undefined, "the duration is longer than a year");
const reference = z
  .string()
  .regex(
    /^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/,
    "a reference is wanted: env:NAME or file:PATH (relative to the configuration)",
  );

/** Names are file names: lower case, digits, hyphens. */
export const idPattern = /^[a-z][a-z0-9-]{0,62}$/;
const id = z.string().regex(idPattern).optional().describe("If given, must equal the file's name without .yaml");

const organization = z
  .string()
  .regex(/^Organization\/[A-Za-z0-9.-]{1,64}$/, "a reference is wanted, for example Organization/harbor-marketing");

export const sluiceSchema = z.strictObject({
  entity: z
    .strictObject({
      name: text.describe("Name of the covered entity"),
      organization: organization.describe("Its FHIR reference"),
    })
    .describe("The one covered entity that this deployment serves"),
  timeZone: z
    .string()
    .refine(isTimeZone, "an IANA time zone is wanted, for example America/New_York")
    .describe("Zone for dates that have none: terms of agreements, periods of consents"),
  keys: z
    .strictObject({
      data: reference.describe("32 bytes (raw or base64) that encrypt what waits in the store"),
      id: reference.describe("32 bytes (raw or base64) from which ids are derived; never change it"),
      signing: z.array(reference).describe("Private keys as JWK files, for signing in to systems"),
    })
    .describe("Where this machine keeps the keys; never the keys themselves"),
  implicitConsent: z
    .partialRecord(purpose, z.enum(["permit", "deny"]))
    .default({})
    .describe("What applies when no consent is on file, by purpose; a purpose not listed means deny"),
  retry: z
    .strictObject({
      base: duration.default("2s").describe("Wait after the first failure; doubles each time"),
      cap: duration.default("15m").describe("Longest wait between two attempts"),
      maxAttempts: z.int().min(1).max(100).default(8).describe("Failures after which an exchange goes to quarantine"),
    })
    .prefault({})
    .describe("How often and how fast a failed exchange is tried again"),
  lease: duration.default("30s").describe("How long a worker holds a person's lane without renewing"),
  profile: z
    .enum(["embedded", "production"])
    .default("embedded")
    .describe("embedded: one process, everything under --data; production: MongoDB, Redis and any number of processes"),
  production: z
    .strictObject({
      mongodb: reference.describe("MongoDB connection string (mongodb:// or mongodb+srv://)"),
      redis: reference.describe("Redis address (redis:// or rediss://), with user and password"),
      redisCa: reference
        .optional()
        .describe("PEM of the authority that signed Redis' certificate, if it is a private one"),
      redisCert: reference.optional().describe("PEM of Sluice's own certificate, if Redis asks for one; with redisKey"),
      redisKey: reference.optional().describe("PEM of that certificate's private key"),
      prefix: z
        .string()
        .regex(/^[a-z][a-z0-9-]{0,30}$/, "lower-case letters, digits and hyphens, a letter first")
        .default("sluice")
        .describe("Name of the database, and what stands before every Redis key: one for each deployment"),
    })
    .optional()
    .describe("Where the production profile keeps its ledger and its queue"),
  http: z
    .strictObject({
      trustProxy: z
        .boolean()
        .default(false)
        .describe(
          "A reverse proxy with TLS stands in front: only then, or with tls, may other addresses than loopback be listened on",
        ),
      tls: z
        .strictObject({ certificate: reference.describe("PEM, the chain"), key: reference.describe("PEM") })
        .optional()
        .describe("Certificate with which Sluice itself answers"),
      metricsToken: reference.optional().describe("Bearer token of whoever reads /metrics from another machine"),
    })
    .prefault({})
    .describe("How Sluice is reached"),
});

const testPatient = z
  .strictObject({
    path: z.string().min(1).describe("FHIR path or CRM field"),
    equals: z.string().min(1).optional(),
    startsWith: z.string().min(1).optional(),
  })
  .refine(
    (rule) => (rule.equals === undefined) !== (rule.startsWith === undefined),
    "give either equals or startsWith",
  );

export const systemSchema = z.strictObject({
  id,
  name: text.describe("Name for people"),
  organization: organization.describe("How consents name this system's owner as recipient"),
  connector: z.string().min(1).describe("Folder under connectors/: salesforce, fhir-r4, recipient"),
  environment: z.enum(["sandbox", "production"]).describe("Sandbox and production never meet in one channel"),
  identity: z
    .record(z.string(), text)
    .describe(
      "Who the system must prove to be before anything is exchanged with it (the names depend on the connector)",
    ),
  connection: z
    .record(z.string(), z.json())
    .describe("Address and credentials, as the connector wants them; secrets only as env: or file:"),
  consentSource: z.boolean().default(false).describe("Read FHIR Consent resources from here"),
  webhookSecret: reference.optional().describe("Secret (whsec_…) of the notices this system posts to /webhooks/{id}"),
  concurrency: z
    .int()
    .min(1)
    .max(100)
    .default(4)
    .describe("At most so many requests at once, of all processes together"),
  rate: z
    .number()
    .min(0.1)
    .max(10_000)
    .optional()
    .describe("At most so many requests a second, of all processes together"),
  dailyLimit: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .optional()
    .describe("At most so many requests a day; backfill stops at four fifths"),
  dailyShare: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe("Part of the vendor's own daily limit that Sluice may use, for example 0.3 (Salesforce only)"),
  breaker: z
    .strictObject({
      failures: z.int().min(1).max(1000).default(5).describe("Failures one after the other that open the circuit"),
      base: duration.default("5s").describe("Nothing is sent for so long; doubles each time the probe fails"),
      cap: duration.default("5m").describe("Longest time between two probes"),
    })
    .prefault({})
    .describe("When a system that fails is left alone, and for how long"),
  timeout: duration.default("10s").describe("A request without an answer is given up after this"),
  visibleAfter: duration.default("2s").describe("After this time a write that was applied is certainly seen by a read"),
  testPatients: z
    .array(testPatient)
    .default([])
    .describe("Records that are test patients; from production they never leave"),
});

export const agreementSchema = z.strictObject({
  id,
  kind: z
    .enum(["baa", "dua", "covered-entity", "de-identified"])
    .describe(
      "Business associate or data use agreement, the covered entity's own use, or terms for de-identified data",
    ),
  systems: idList.describe("The systems whose owner it binds"),
  purposes: z.array(purpose).min(1),
  resources: z.array(resourceType).min(1).describe("Resource types that it covers"),
  effective: day.describe("First day in force"),
  expires: day.optional().describe("Last day in force; leave away for an evergreen agreement"),
  terminated: day.optional().describe("Day on which it was ended early"),
  signedBy: z.array(text).min(1).describe("Who signed, both sides"),
  documentSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "64 lower-case hexadecimal digits are wanted (sha256sum of the signed document)")
    .optional(),
  deidentificationPermitted: z
    .boolean()
    .default(false)
    .describe("Whether data under it may be de-identified (45 CFR 164.502(d))"),
});

/** @param perHour What a practice of some ten clinicians does in one busy hour is well below it. */
const brakeLimit = (perHour: number, what: string) =>
  z
    .strictObject({
      perHour: z.int().min(0).max(1_000_000).default(perHour).describe("So many within an hour always pass"),
      factor: z.number().min(0).max(100).default(3).describe("… and so many times the busiest hour of the days before"),
    })
    .prefault({})
    .describe(what);

export const channelSchema = z.strictObject({
  id,
  kind: z
    .enum(["sync", "feed"])
    .describe("sync: record by record between CRM and EHR; feed: de-identified batches to a recipient"),
  from: z.string().min(1).describe("System id of the source"),
  to: z.string().min(1).describe("System id of the destination"),
  purpose,
  resources: z
    .array(
      z.strictObject({
        type: resourceType,
        mapping: z.string().min(1).optional().describe("Mapping id (sync only)"),
        policy: z.string().min(1).describe("Minimum-necessary policy id; on a feed the profile safe-harbor"),
      }),
    )
    .min(1),
  consentMaxAge: duration.default("15m").describe("Older consent facts are read again before a decision"),
  requireConsent: z.boolean().default(false).describe("Without a permitting consent on file nothing is released"),
  pollEvery: duration.default("30s").describe("How often the source is asked for changes"),
  batchSize: z.int().min(1).max(10_000).default(100).describe("Feeds: most records in one batch"),
  mode: z.enum(["live", "off"]).default("live").describe("off: takes and sends nothing"),
  brake: z
    .strictObject({
      deletes: brakeLimit(20, "Patients who are set inactive"),
      cancellations: brakeLimit(40, "Visits that are cancelled, missed or entered in error"),
      clears: brakeLimit(20, "Records in which a field that was filled becomes empty"),
      identity: brakeLimit(20, "Records whose name, birth date, gender, identifier, death or patient changes"),
    })
    .prefault({})
    .describe("Sync: records written to within an hour above which the channel stops and asks a person"),
});

const elementPath = z
  .string()
  .regex(/^[a-z][A-Za-z]*(\.[a-z][A-Za-z]*)*$/, "an element path is wanted, for example name.given");

export const policySchema = z.strictObject({
  id,
  recipient: z.string().min(1).describe("System id of the one who may receive this"),
  purposes: z.array(purpose).min(1),
  allow: z
    .record(resourceType, z.array(elementPath).min(1))
    .describe("FHIR type: element paths that may leave; a path allows all below it; all else is withheld"),
  justification: text.describe("Why this much and no less (45 CFR 164.514(d))"),
});

const scalar = z.union([z.string(), z.boolean()]);

export const mappingSchema = z.strictObject({
  id,
  crm: z.strictObject({
    object: z.string().min(1).describe("CRM object, for example Contact"),
    linkField: z.string().min(1).describe("External-id field that carries Sluice's link id"),
  }),
  fhir: z.strictObject({ type: resourceType }),
  subject: z.string().min(1).describe("self for a person, else the FHIR path of the reference to the patient"),
  fields: z
    .array(
      z.strictObject({
        crm: z.string().min(1).describe("CRM field"),
        fhir: z.string().min(1).describe("FHIR path"),
        codec: z.string().min(1).optional().describe("Named value conversion; absent = text as it is"),
        table: z.record(z.string(), z.string()).optional().describe("CRM value: FHIR code"),
        target: z.string().min(1).optional().describe("Type that a reference points to"),
        required: z.boolean().optional(),
        onEmpty: z.enum(["keep", "clear"]).optional(),
        direction: z.enum(["both", "to-fhir", "to-crm"]).optional(),
        maxLength: z
          .int()
          .min(1)
          .optional()
          .describe("Characters that the CRM field takes; longer is refused, not cut"),
      }),
    )
    .min(1),
  constants: z.record(z.string(), scalar).default({}).describe("FHIR elements set when a resource is created"),
  ignoreWhen: z
    .array(z.strictObject({ crm: z.string().min(1), equals: z.union([scalar, z.null()]) }))
    .default([])
    .describe("CRM records that are no visit or no patient"),
  modifiers: z
    .record(z.string(), z.array(scalar))
    .default({})
    .describe("Modifier elements without CRM counterpart: the only values that may pass"),
});

export const schemas = {
  sluice: sluiceSchema,
  system: systemSchema,
  agreement: agreementSchema,
  channel: channelSchema,
  policy: policySchema,
  mapping: mappingSchema,
} as const;
export type FileKind = keyof typeof schemas;

/** Folder of each kind that has one file an object. */
export const folders = {
  system: "systems",
  agreement: "agreements",
  channel: "channels",
  policy: "policies",
  mapping: "mappings",
} as const satisfies Record<Exclude<FileKind, "sluice">, string>;

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name === "UTC" || name.includes("/");
  } catch {
    return false;
  }
}
