// The shape of a deployment's configuration after `src/settings` has read and checked it. One value of `Configuration` is
// one activation: it is immutable, and its hash names it in every ledger row and audit entry.
import type { PurposeOfUse } from "./decision.ts";
import type { JsonObject } from "./json.ts";

export type Environment = "sandbox" | "production";

export interface SystemConfig {
  readonly id: string;
  readonly name: string;
  /** Reference by which consents name the owner of this system: `Organization/harbor-marketing`. */
  readonly organization: string;
  /** Folder name under `connectors/`. */
  readonly connector: string;
  readonly environment: Environment;
  /** The system's own identity as bound in the configuration: organization id, issuer and token endpoint, host and key id. */
  readonly identity: Readonly<Record<string, string>>;
  /** Checked by the connector's own schema; secrets already resolved. */
  readonly connection: JsonObject;
  /** Whether FHIR Consent resources are read from this system. */
  readonly consentSource: boolean;
  /** Shared secret (`whsec_…`) of notices that this system posts to `/webhooks/{id}`. */
  readonly webhookSecret?: string;
  /** At most so many requests at once, those of all processes together. */
  readonly concurrency: number;
  /** At most so many requests a second, those of all processes together. */
  readonly rate?: number;
  /** At most so many requests a day (in the deployment's zone). */
  readonly dailyLimit?: number;
  /** Part of the vendor's own daily limit that Sluice may use, above 0 to 1. */
  readonly dailyShare?: number;
  /** So many failures one after the other open the circuit, for `baseMs`, doubled each time up to `capMs`. */
  readonly breaker: { readonly failures: number; readonly baseMs: number; readonly capMs: number };
  /** Milliseconds before a request to this system is given up. */
  readonly timeoutMs: number;
  /** Milliseconds until a write that was applied is certainly visible to a read. */
  readonly visibleAfterMs: number;
  /** Records that are test patients; in a production system they never leave it. */
  readonly testPatients: readonly TestPatientRule[];
}

/** Matches when the value at `path` (FHIR path or CRM field) equals or, for `startsWith`, begins with the text. */
export interface TestPatientRule {
  readonly path: string;
  readonly equals?: string;
  readonly startsWith?: string;
}

/** A BAA, data use agreement or other legal basis (45 CFR 164.504(e), 164.514(e)). */
export interface Agreement {
  readonly id: string;
  readonly kind: "baa" | "dua" | "covered-entity" | "de-identified";
  /** The systems whose owner it binds. */
  readonly systems: readonly string[];
  readonly purposes: readonly PurposeOfUse[];
  /** Resource types that it covers. */
  readonly resources: readonly string[];
  /** First day in force, `YYYY-MM-DD`, in the deployment's zone. */
  readonly effective: string;
  /** Last day in force, `YYYY-MM-DD`; absent = evergreen. */
  readonly expires?: string;
  readonly terminated?: string;
  readonly signedBy: readonly string[];
  readonly documentSha256?: string;
  readonly deidentificationPermitted: boolean;
}

export interface ChannelResource {
  /** FHIR resource type. */
  readonly type: string;
  /** Mapping id; absent on feeds. */
  readonly mapping?: string;
  /** Minimum-necessary policy id (or, on a feed, the de-identification profile `safe-harbor`). */
  readonly policy: string;
}

/** What a channel's brake counts, by `src/exchange/brake/effects.ts`. */
export const brakeKinds = ["deletes", "cancellations", "clears", "identity"] as const;
export type BrakeKind = (typeof brakeKinds)[number];

/** The larger one holds. */
export interface BrakeLimit {
  /** Records within an hour. */
  readonly perHour: number;
  /** Times the busiest hour of the days before. */
  readonly factor: number;
}

export interface Channel {
  readonly id: string;
  readonly kind: "sync" | "feed";
  readonly from: string;
  readonly to: string;
  readonly purpose: PurposeOfUse;
  readonly resources: readonly ChannelResource[];
  /** Milliseconds: older consent facts are read again before a decision. */
  readonly consentMaxAgeMs: number;
  /** No applicable permit means deny, whatever the implicit policy says. */
  readonly requireConsent: boolean;
  readonly pollEveryMs: number;
  /** Feeds: most records in one batch. */
  readonly batchSize: number;
  /** Above these the channel stops and asks a person. */
  readonly brake: Readonly<Record<BrakeKind, BrakeLimit>>;
  readonly mode: "live" | "off";
}

/** What applies when no consent is on file (IHE PCF implicit policies, reduced to the two that make sense for systems). */
export type ImplicitPolicy = "permit" | "deny";

/** One allow-list: what `recipient` may receive for `purposes`, by resource type. */
export interface MinimumPolicy {
  readonly id: string;
  readonly recipient: string;
  readonly purposes: readonly PurposeOfUse[];
  /** FHIR type → element paths relative to the type (`name.given`, `telecom`); a path allows all below it. */
  readonly allow: Readonly<Record<string, readonly string[]>>;
  /** Why this much and no less (45 CFR 164.514(d)). */
  readonly justification: string;
}

export interface MappingField {
  /** CRM field API name, or a path through a relationship (`Who.Type` is not supported: one field). */
  readonly crm: string;
  /** FHIR path, see `src/mapping/path.ts`. */
  readonly fhir: string;
  /** Named value conversion; absent = text as it is. */
  readonly codec?: string;
  /** Arguments of the codec, for example the table of a `code`. */
  readonly table?: Readonly<Record<string, string>>;
  readonly target?: string;
  /** Both sides refuse a record without it. */
  readonly required?: boolean;
  /** `keep` (default): null or empty at the source leaves the destination alone; `clear`: it empties the field there. */
  readonly onEmpty?: "keep" | "clear";
  /** Most characters that the CRM field takes; a longer text is refused, never cut. */
  readonly maxLength?: number;
  /** `both` (default), or the only direction in which the field moves. */
  readonly direction?: "both" | "to-fhir" | "to-crm";
}

export interface MappingDeclaration {
  readonly id: string;
  readonly crm: { readonly object: string; readonly linkField: string };
  readonly fhir: { readonly type: string };
  /** Whose record it is: `self` for a person, else the FHIR path of the reference to the patient. */
  readonly subject: string;
  readonly fields: readonly MappingField[];
  /** FHIR elements written with a constant when a resource is created. */
  readonly constants: Readonly<Record<string, string | boolean>>;
  /** CRM records that are no visit (or no patient): each is a field and the value that says so. */
  readonly ignoreWhen: readonly { readonly crm: string; readonly equals: string | boolean | null }[];
  /** Modifier elements that have no CRM counterpart, each with the only value that may pass; others withhold the resource. */
  readonly modifiers: Readonly<Record<string, readonly (string | boolean)[]>>;
}

export interface Configuration {
  /** SHA-256 of the canonical configuration without secrets. */
  readonly hash: string;
  readonly entity: { readonly name: string; readonly organization: string };
  /** IANA zone for dates without one. */
  readonly timeZone: string;
  readonly implicitConsent: Readonly<Partial<Record<PurposeOfUse, ImplicitPolicy>>>;
  readonly systems: ReadonlyMap<string, SystemConfig>;
  readonly agreements: readonly Agreement[];
  readonly channels: ReadonlyMap<string, Channel>;
  readonly mappings: ReadonlyMap<string, MappingDeclaration>;
  readonly policies: ReadonlyMap<string, MinimumPolicy>;
  readonly retry: { readonly baseMs: number; readonly capMs: number; readonly maxAttempts: number };
  readonly leaseMs: number;
}

/** Key material, read from the `file:` and `env:` references of `config/sluice.yaml`. */
export interface Keys {
  /** 32 bytes; encrypts what waits in the store. */
  readonly data: Buffer;
  /** 32 bytes; derives ids (HMAC). Never rotates. */
  readonly id: Buffer;
  /** Private JWKs for SMART Backend Services and Salesforce JWT bearer, by `kid`. */
  readonly signing: readonly JsonObject[];
}
