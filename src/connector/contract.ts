// What every connector offers: one folder under `connectors/` a kind of system, its `index.ts` default-exporting a
// ConnectorModule. The engine chooses its path from `capabilities`, never from the connector's name.
import type { z } from "zod";
import type { Clock } from "../core/clock.ts";
import type { Keys, SystemConfig } from "../core/configuration.ts";
import type { Random } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { SourceRecord } from "../core/records.ts";
import type { Outbound } from "./outbound.ts";

export interface ConnectorModule {
  /** Equals the folder name. */
  readonly name: string;
  readonly kind: "crm" | "fhir" | "recipient";
  /** Schema of `connection:` in `config/systems/*.yaml`; strict, every field described. */
  readonly connection: z.ZodType;
  /** What a system of this kind is bound to (ARCHITECTURE, What always holds 14), for example `organizationId`. */
  readonly identity: readonly string[];
  readonly capabilities: Capabilities;
  /** The one spelling of a record id that the system itself uses; undefined when it is no id of its. Absent: every spelling counts. */
  canonicalId?(type: string, id: string): string | undefined;
  /** The link id that a record carries, if Sluice created it. */
  linkIdOf(type: string, record: JsonObject, connection: JsonObject): string | undefined;
  /** Origins (`https://host:port`) that a connection may talk to, token endpoint included; all others are refused. */
  origins(connection: JsonObject): readonly string[];
  open(context: ConnectorContext): Connector;
}

export interface Capabilities {
  /** Record types spoken, in the system's own names. */
  readonly types: readonly string[];
  /** `version`: the record carries a version that changes with every change; `stamp`: only a time stamp. */
  readonly mark: "version" | "stamp";
  /** Clock resolution of change times, milliseconds. */
  readonly stampResolutionMs: number;
  /** Create is safe to repeat under the same link id (upsert by external id, conditional create). */
  readonly createIdempotent: boolean;
  /** `version` = refuses an update of another version (If-Match); `stamp` = by time (If-Unmodified-Since); `none`. */
  readonly precondition: "version" | "stamp" | "none";
  /** More requests at once than this the kind of system does not bear; a configuration that asks for more is refused. */
  readonly maxConcurrency?: number;
  /** Whether `deliver` exists. */
  readonly delivers: boolean;
  /** Tells of its daily limit (`Connector.usage`); without it a system takes no `dailyShare`. */
  readonly tellsUsage?: boolean;
}

/** A vendor's own count of the calls of a day, those of other programs included. */
export interface DailyUsage {
  readonly used: number;
  readonly limit: number;
}

export interface ConnectorContext {
  readonly system: SystemConfig;
  readonly http: Outbound;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
}

/** A poll position: opaque to all but its connector; small JSON text. */
export type Cursor = string;

export interface PollRequest {
  readonly type: string;
  /** Absent on the first poll: from the beginning. */
  readonly cursor: Cursor | undefined;
  /** Fields that the mappings name; a CRM reads no others. Ignored by FHIR servers. */
  readonly fields: readonly string[];
  readonly limit: number;
}

export interface PollPage {
  /** Records as read now, oldest change first. */
  readonly records: readonly SourceRecord[];
  /** Where the next poll starts: never beyond the source's clock less its resolution and overlap. */
  readonly cursor: Cursor;
  /** More is waiting right now. */
  readonly more: boolean;
}

export interface Written {
  readonly id: string;
  /** Version after the write, where the answer tells it. */
  readonly version: string | undefined;
  /** A create found a record under this link id and left it as it was: nothing was written. */
  readonly existing?: boolean;
}

/** What the engine wants written. `body` is the whole new record for FHIR, only the changed fields for a CRM. */
export interface WriteRequest {
  readonly type: string;
  readonly linkId: string;
  readonly body: JsonObject;
}

export interface UpdateRequest extends WriteRequest {
  readonly id: string;
  /** Version the body was made from; sent as the precondition where the system has one. */
  readonly version: string | undefined;
  /** The source's own time of that version (`changedAt`), for systems with `stamp` preconditions. */
  readonly changedAt: string | undefined;
}

/** Demographics for a strict search; an absent part does not take part. Values are normalised text. */
export interface PersonQuery {
  readonly family: string;
  readonly given: string;
  /** `YYYY-MM-DD`. */
  readonly birthDate: string;
}

export interface Delivery {
  /** Webhook id, the idempotency key: equal for every repetition of the same bytes. */
  readonly id: string;
  /** NDJSON, one resource a line. */
  readonly body: string;
}

/**
 * All methods throw SluiceError only (vendor errors, which carry bodies, are mapped at the connector's edge and dropped).
 * All make at most one unsafe request, through `context.http`, without retries of their own.
 */
export interface Connector {
  /** The system's identity as it presents itself now, keys as in `ConnectorModule.identity`. */
  identify(): Promise<Readonly<Record<string, string>>>;
  /** One record; undefined when the system says that it does not exist (404, 410). `fresh`: no cache may answer. */
  read(type: string, id: string, fields: readonly string[], fresh?: boolean): Promise<SourceRecord | undefined>;
  poll(request: PollRequest): Promise<PollPage>;
  /** Records that carry this link id; none, one, or (an error made earlier) several. Always fresh. */
  findByLink(type: string, linkId: string, fields: readonly string[]): Promise<readonly SourceRecord[]>;
  /** Person records with exactly these demographics, at most 5. */
  findPerson(type: string, query: PersonQuery, fields: readonly string[]): Promise<readonly SourceRecord[]>;
  create(request: WriteRequest): Promise<Written>;
  update(request: UpdateRequest): Promise<Written>;
  /** Recipients only. */
  deliver?(delivery: Delivery): Promise<void>;
  /** As of the last answer; undefined before the first. */
  readonly usage?: DailyUsage | undefined;
  close(): Promise<void>;
}
