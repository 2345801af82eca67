// Composition root of every profile: builds the parts of a gateway by hand over the given store and queue. No logic.
import pino, { type Logger } from "pino";
import { openOutbound, type Outbound } from "./connector/outbound.ts";
import type { ConnectorModule } from "./connector/contract.ts";
import { systemClock, type Clock } from "./core/clock.ts";
import type { Configuration, Keys } from "./core/configuration.ts";
import { SluiceError } from "./core/errors.ts";
import { systemRandom, type Random } from "./core/ids.ts";
import { Brakes } from "./exchange/brake/brakes.ts";
import { channelOf } from "./exchange/brake/state.ts";
import { ConsentBook } from "./exchange/consent-book.ts";
import type { Active, Gateway, OpenSystem, PausePoint } from "./exchange/gateway.ts";
import { Governors } from "./exchange/governor/governors.ts";
import { HotReads, sharedMaxAgeMs } from "./exchange/hot-reads.ts";
import { checkKeys } from "./exchange/key-check.ts";
import { Identities } from "./exchange/identities.ts";
import { Pauses } from "./exchange/pauses.ts";
import { PersonKeys } from "./exchange/person-keys.ts";
import type { Change, Queue, Store } from "./exchange/ports.ts";
import { Refusals } from "./exchange/refusals.ts";
import { Rhythm, type Role } from "./exchange/rhythm.ts";
import type { Stage } from "./exchange/stages.ts";
import { Turns } from "./exchange/turns.ts";
import { Worker } from "./exchange/work.ts";
import { compileMapping } from "./mapping/compile.ts";
import { compileMinimum } from "./policy/minimum.ts";

const maxAnswerBytes = 16 * 1024 * 1024;
/** Processes on several machines: their clocks are kept in step to seconds only; `doctor` warns of more. */
const sharedClockToleranceMs = 5_000;

export interface GatewayParts {
  readonly configuration: Configuration;
  readonly connectors: ReadonlyMap<string, ConnectorModule>;
  readonly keys: Keys;
  readonly store: Store;
  readonly queue: Queue;
  readonly log: Logger;
  /** Other processes work on the same store. */
  readonly shared?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly trace?: (stage: Stage, exchange: string) => void;
  readonly pausePoint?: (point: PausePoint, exchange: string) => Promise<void>;
}

export interface StartOptions {
  readonly role: Role;
  /** Lanes at once. */
  readonly concurrency: number;
  /** Where no other process can hold a lane: frees those of earlier owners. */
  readonly freeLanes?: () => Promise<unknown>;
}

export interface BuiltGateway {
  readonly gateway: Gateway;
  readonly worker: Worker;
  readonly refusals: Refusals;
  readonly rhythm: Rhythm;
  /** Loads what memory holds, checks the identities of all systems, starts everything. */
  start(options: StartOptions): Promise<void>;
  /** Finishes what runs; gives back what it holds. Closes connectors, not the store or the queue. */
  stop(): Promise<void>;
}

/** @param level pino level; all output goes to standard error. */
export function createLog(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers }, pino.destination(2));
}

/** An error is logged by what is known to be free of PHI: code, class, and the stack's places without its message. */
const serializers = {
  error(error: unknown): object {
    if (error instanceof SluiceError) return { code: error.code, message: error.message, ...error.detail };
    if (!(error instanceof Error)) return { kind: typeof error };
    const places = error.stack?.split("\n").filter((line) => line.trimStart().startsWith("at ")) ?? [];
    return { kind: error.constructor.name, at: places.slice(0, 6).map((line) => line.trim()) };
  },
};

/** What a queue says besides its answers. */
export function queueReports(log: Logger): {
  readonly warn: (warning: string) => void;
  readonly report: (error: SluiceError) => void;
} {
  return {
    warn: (warning) => {
      log.warn(warning);
    },
    report: (error) => {
      log.warn({ error }, "queue error; the sweep goes on");
    },
  };
}

export function compile(configuration: Configuration, connectors: ReadonlyMap<string, ConnectorModule>): Active {
  const mappings = new Map([...configuration.mappings].map(([id, mapping]) => [id, compileMapping(mapping)]));
  const minimums = new Map([...configuration.policies].map(([id, policy]) => [id, compileMinimum(policy)]));
  const fhirSystems = [...configuration.systems.values()].filter(
    (system) => connectors.get(system.connector)?.kind === "fhir",
  );
  return {
    configuration,
    fhirSystems: new Set(fhirSystems.map((system) => system.id)),
    mapping: (id) => known(mappings.get(id), `mapping ${id}`),
    minimum: (id) => known(minimums.get(id), `policy ${id}`),
  };
}

function canonicalId(module: ConnectorModule, type: string, id: string): string {
  const canonical = module.canonicalId ? module.canonicalId(type, id) : id;
  if (canonical !== undefined) return canonical;
  throw new SluiceError("input-malformed", "this is no record id of this system", { hint: "copy it from the record" });
}

function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new SluiceError("config-invalid", `there is no ${what}`);
  return value;
}

export function buildGateway(parts: GatewayParts): BuiltGateway {
  const clock = parts.clock ?? systemClock;
  const random = parts.random ?? systemRandom;
  const { configuration, connectors, keys, store, queue, log } = parts;
  const { systems: configured, timeZone } = configuration;
  const governors = new Governors({ systems: configured, timeZone, registers: store.registers, clock, random, log });
  const outbound: Outbound[] = [];
  const systems = new Map<string, OpenSystem>();
  /** Opened on first use: a dry run on a file needs none, and no secret of any. */
  const openSystem = (id: string): OpenSystem => {
    const opened = systems.get(id);
    if (opened) return opened;
    const config = known(configuration.systems.get(id), `system ${id}`);
    const module = known(connectors.get(config.connector), `connector ${config.connector}`);
    const http = openOutbound({
      origins: module.origins(config.connection),
      timeoutMs: config.timeoutMs,
      concurrency: config.concurrency,
      maxBytes: maxAnswerBytes,
      admission: governors.of(id),
    });
    outbound.push(http);
    const connector = module.open({ system: config, http, clock, random, keys });
    governors.of(id).watchUsage(() => connector.usage);
    const system: OpenSystem = {
      config,
      connector,
      types: module.capabilities.types,
      canonicalId: (type, recordId) => canonicalId(module, type, recordId),
      linkIdOf: (type, record) => module.linkIdOf(type, record, config.connection),
    };
    systems.set(id, system);
    return system;
  };
  const consents = new ConsentBook(store.facts, keys, random, configuration.timeZone);
  const pauses = new Pauses(store.systems, clock, log);
  const brakes = new Brakes(store, clock, random, log);
  const reload = async ({ kind, ref }: Change): Promise<void> => {
    if (kind === "consent") await consents.reload(...splitRef(ref));
    else if (kind === "system") await pauses.reload(ref);
    else if (kind === "configuration") await worker.checkConfiguration();
    else {
      await governors.heard(ref);
      const channel = channelOf(ref);
      if (channel !== undefined) await brakes.reload(channel);
    }
  };
  const gateway: Gateway = {
    store,
    queue,
    clock,
    random,
    keys,
    log,
    active: compile(configuration, connectors),
    consents,
    personKeys: new PersonKeys(store.vault, keys, random),
    pauses,
    brakes,
    identities: new Identities(store.systems),
    governors,
    hot: new HotReads(store.changes, clock, parts.shared ? sharedMaxAgeMs : Infinity, reload),
    isCurrent: () => !worker.superseded,
    clockToleranceMs: parts.shared ? sharedClockToleranceMs : 0,
    system: openSystem,
    ...(parts.trace && { trace: parts.trace }),
    ...(parts.pausePoint && { pausePoint: parts.pausePoint }),
  };
  const worker = new Worker(gateway);
  const refusals = new Refusals(gateway);
  const rhythm = new Rhythm(gateway, worker, refusals, parts.shared ? new Turns(store.registers, clock) : undefined);
  return {
    gateway,
    worker,
    refusals,
    rhythm,
    async start({ role, concurrency, freeLanes }) {
      await checkKeys(store.blobs, keys, random);
      await gateway.hot.begin();
      await gateway.pauses.load(configuration.systems.keys());
      await gateway.brakes.load();
      await gateway.consents.load();
      await governors.load(freeLanes !== undefined);
      try {
        await checkIdentities(gateway, [...configuration.systems.keys()].map(openSystem));
      } catch (error) {
        await governors.close();
        throw error;
      }
      await freeLanes?.();
      await worker.checkConfiguration();
      if (role !== "gateway") {
        await worker.sweep();
        await worker.start(concurrency);
      }
      rhythm.start(role);
    },
    async stop() {
      worker.stop();
      await rhythm.stop();
      await queue.close();
      for (const { connector } of systems.values()) await connector.close();
      await Promise.all(outbound.map((http) => http.close()));
      await governors.close();
    },
  };
}

/** `SYSTEM/ID`; an id may hold slashes, a system's name none. */
function splitRef(ref: string): [system: string, id: string] {
  const slash = ref.indexOf("/");
  return [ref.slice(0, slash), ref.slice(slash + 1)];
}

/** A system that is not who it should be refuses the start; one that cannot be asked now is asked before its first call. */
async function checkIdentities(gateway: Gateway, systems: Iterable<OpenSystem>): Promise<void> {
  for (const { config, connector } of systems) {
    try {
      await gateway.identities.ensure(config, connector);
    } catch (error) {
      if (error instanceof SluiceError && error.code === "identity-mismatch") throw error;
      gateway.log.warn({ system: config.id, error }, "system cannot be reached yet; its exchanges wait");
    }
  }
}
