// What a connector's contract test gives the shared suite: the connector module, a running sandbox of its system, and the
// few bodies in that system's own words. One subject is made for each test and closed after it.
import type { Connector, ConnectorModule, PersonQuery } from "../../../src/connector/contract.ts";
import type { OutboundOptions } from "../../../src/connector/outbound.ts";
import type { Fault } from "../../../src/connector/sandbox.ts";
import type { Clock } from "../../../src/core/clock.ts";
import type { Keys, SystemConfig } from "../../../src/core/configuration.ts";
import type { JsonObject } from "../../../src/core/json.ts";

export interface ContractSubject {
  readonly module: ConnectorModule;
  readonly system: SystemConfig;
  readonly keys: Keys;
  /** The wall clock that sandbox and connector share; stands still unless `advance` moves it. */
  readonly clock: Clock;
  advance(ms: number): void;
  /** The person type (`Contact`, `Patient`). */
  readonly type: string;
  /** Fields to ask a CRM for, the link field included. */
  readonly fields: readonly string[];
  /** A well-formed id that no record has. */
  readonly missingId: string;
  /** Longest time for which the connector reads changes again after it has seen them, milliseconds. */
  readonly overlapMs: number;
  readonly sandbox: ContractSandbox;
  /** A valid new person with this family name and birth date 1980-02-29, as a user of the system enters it. */
  person(family: string): JsonObject;
  /** The `WriteRequest.body` of a create of such a person under this link id. */
  created(family: string, linkId: string): JsonObject;
  /** The `UpdateRequest.body` that gives the person read as `body` another family name. */
  renamed(body: JsonObject, family: string): JsonObject;
  familyOf(body: JsonObject): unknown;
  /** Finds a person made by `person`. */
  query(family: string, birthDate?: string): PersonQuery;
}

export interface ContractSandbox {
  /** A user's new record; answers its id. `agoMs`: it bears a change time so long ago, as a transaction that took long. */
  put(body: JsonObject, agoMs?: number): string;
  /** A user gives the person another family name. */
  rename(id: string, family: string): void;
  /** How many person records there are. */
  size(): number;
  /** Requests without those of the token endpoint, and how many of them were writes. */
  readonly counts: { readonly requests: number; readonly writes: number };
  /** `X-Request-Id` of the requests so far. */
  requestIds(): readonly (string | undefined)[];
  setFault(fault: Fault | undefined): void;
  /** From now on writes are refused by a rule of the system's own, with a message that quotes the values sent. */
  rejectWrites(): void;
  close(): Promise<void>;
}

/** What the parts of the suite work with; fresh for each test. */
export interface Bench {
  readonly subject: ContractSubject;
  readonly connector: Connector;
  /** A second connector to the same system over a dispatcher of its own. */
  open(options?: Partial<OutboundOptions>): Connector;
}
