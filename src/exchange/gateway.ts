// What every exchange is given: the ports, the connectors, the active configuration with its compiled parts. Built by a
// composition root; holds no logic.
import type { Connector } from "../connector/contract.ts";
import type { Clock } from "../core/clock.ts";
import type { Configuration, Keys, SystemConfig } from "../core/configuration.ts";
import type { Random } from "../core/ids.ts";
import type { Log } from "../core/log.ts";
import type { JsonObject } from "../core/json.ts";
import type { CompiledMapping } from "../mapping/contract.ts";
import type { Minimizer } from "../policy/minimum.ts";
import type { Brakes } from "./brake/brakes.ts";
import type { ConsentBook } from "./consent-book.ts";
import type { Governors } from "./governor/governors.ts";
import type { HotReads } from "./hot-reads.ts";
import type { Identities } from "./identities.ts";
import type { PersonKeys } from "./person-keys.ts";
import type { Pauses } from "./pauses.ts";
import type { Queue, Store } from "./ports.ts";
import type { Stage } from "./stages.ts";

/** A configuration with its mappings and policies compiled, once. */
export interface Active {
  readonly configuration: Configuration;
  /** Systems whose connector speaks FHIR; all other sources and destinations speak a CRM's own objects. */
  readonly fhirSystems: ReadonlySet<string>;
  mapping(id: string): CompiledMapping;
  /** The allow-list, with the means to apply it. */
  minimum(id: string): Minimizer;
}

export interface OpenSystem {
  readonly config: SystemConfig;
  readonly connector: Connector;
  /** Record types that the connector speaks; none for a recipient. */
  readonly types: readonly string[];
  /** Throws `input-malformed` for what is no id of this system. */
  canonicalId(type: string, id: string): string;
  /** The link id that a record carries, if Sluice created it. */
  linkIdOf(type: string, record: JsonObject): string | undefined;
}

export interface Gateway {
  readonly store: Store;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Log;
  readonly active: Active;
  readonly consents: ConsentBook;
  readonly personKeys: PersonKeys;
  readonly pauses: Pauses;
  readonly brakes: Brakes;
  readonly identities: Identities;
  readonly governors: Governors;
  readonly hot: HotReads;
  /** Synchronous, for the instant of sending: false once another configuration was activated. */
  readonly isCurrent: () => boolean;
  /** How far the clocks of the processes that share the store may be apart, milliseconds; 0 = there is one process. */
  readonly clockToleranceMs: number;
  /** Throws `config-invalid` for an unknown system. */
  system(id: string): OpenSystem;
  /** Told of each stage as an exchange enters it. */
  readonly trace?: (stage: Stage, exchange: string) => void;
  /** Tests hold or kill an exchange here: called between two durable steps. */
  readonly pausePoint?: (point: PausePoint, exchange: string) => Promise<void>;
}

/** Places between two writes (ARCHITECTURE, Order of writes) where a crash or a stall must do no harm. */
export type PausePoint = "accepted" | "judged" | "recorded" | "sent" | "applied" | "linked";
