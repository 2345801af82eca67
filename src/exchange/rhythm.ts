// What happens by itself: sweeps each second, polls at their intervals, paused systems tried again, agreements watched for
// the day on which one begins, refusals put on record. Each beat waits for the one before; none throws. What one process
// can do for all (polls, probes), the processes take in turns.
import { agreementsVersion } from "../policy/agreement.ts";
import { acceptDenied } from "./again.ts";
import type { Gateway } from "./gateway.ts";
import { sweepConsents } from "./consent-sweep.ts";
import { catchUpEveryMs } from "./hot-reads.ts";
import { pollNow } from "./poll.ts";
import type { Refusals } from "./refusals.ts";
import { sourceType } from "./run.ts";
import type { Turns } from "./turns.ts";
import type { Worker } from "./work.ts";

const sweepMs = 1_000;
const probeMs = 5_000;
const minuteMs = 60_000;
const consentSweepMs = 10 * minuteMs;

/** What a process is for; `all`: the one process of the embedded profile. */
export type Role = "all" | "gateway" | "worker";

export interface Poll {
  readonly system: string;
  readonly type: string;
  readonly everyMs: number;
}

/** Every type that a channel reads from a system, and Consent from every consent source. */
export function pollsOf(gateway: Gateway): readonly Poll[] {
  const { configuration } = gateway.active;
  const polls = new Map<string, Poll>();
  const add = (system: string, type: string, everyMs: number): void => {
    const key = `${system}/${type}`;
    polls.set(key, { system, type, everyMs: Math.min(everyMs, polls.get(key)?.everyMs ?? everyMs) });
  };
  const channels = [...configuration.channels.values()].filter((channel) => channel.mode !== "off");
  for (const channel of channels) {
    for (const resource of channel.resources) {
      add(channel.from, sourceType(gateway.active, channel, resource), channel.pollEveryMs);
    }
    for (const system of configuration.systems.values()) {
      if (system.consentSource) add(system.id, "Consent", Math.min(channel.pollEveryMs, channel.consentMaxAgeMs / 3));
    }
  }
  return [...polls.values()];
}

export class Rhythm {
  readonly #gateway: Gateway;
  readonly #worker: Worker;
  readonly #refusals: Refusals;
  /** Undefined: there is no other process. */
  readonly #turns: Turns | undefined;
  readonly #stop = new AbortController();
  readonly #beats: Promise<void>[] = [];

  constructor(gateway: Gateway, worker: Worker, refusals: Refusals, turns?: Turns) {
    this.#turns = turns;
    this.#gateway = gateway;
    this.#worker = worker;
    this.#refusals = refusals;
  }

  /** @param role `gateway` takes notices in and runs nothing. */
  start(role: Role): void {
    this.#every("catch-up", catchUpEveryMs, () => this.#gateway.hot.catchUp());
    this.#every("refusals", minuteMs, () => this.#refusals.flush());
    if (role === "gateway") {
      this.#every("configuration", sweepMs, () => this.#worker.checkConfiguration());
      return;
    }
    this.#every("sweep", sweepMs, () => this.#worker.sweep());
    this.#every("overtake", sweepMs, () => this.#worker.overtake());
    this.#inTurns("probe", probeMs, () => this.#probe());
    this.#inTurns("agreements", minuteMs, () => this.#watchAgreements());
    this.#inTurns("consents", consentSweepMs, () => this.#sweepConsents());
    for (const { system, type, everyMs } of pollsOf(this.#gateway)) {
      this.#inTurns(`poll ${system}/${type}`, everyMs, () => pollNow(this.#gateway, system, type));
    }
  }

  /** Resolves when the beats under way have ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#beats);
    await this.#refusals.flush();
  }

  #inTurns(name: string, ms: number, beat: () => unknown): void {
    this.#every(name, ms, async () => {
      if (!this.#worker.takesNewWork) return;
      if (!this.#turns || (await this.#turns.take(name, ms))) await beat();
    });
  }

  #every(task: string, ms: number, beat: () => unknown): void {
    this.#beats.push(this.#loop(task, ms, beat));
  }

  async #loop(task: string, ms: number, beat: () => unknown): Promise<void> {
    const { clock, log } = this.#gateway;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await beat();
      } catch (error) {
        log.error({ task, error }, "a periodic task failed; it is tried again");
      }
      await clock.sleep(ms, signal).catch(() => undefined);
    }
  }

  async #sweepConsents(): Promise<void> {
    for (const { id, consentSource } of this.#gateway.active.configuration.systems.values()) {
      if (consentSource) await sweepConsents(this.#gateway, id);
    }
  }

  /** A paused system that lets us read again is resumed. */
  async #probe(): Promise<void> {
    for (const id of this.#gateway.pauses.all()) {
      if (await mayRead(this.#gateway, id)) await this.#gateway.pauses.resume(id);
    }
  }

  /** A day on which agreements change may permit what was denied: the newest notices are accepted again. */
  async #watchAgreements(): Promise<void> {
    const { configuration } = this.#gateway.active;
    for (const channel of configuration.channels.values()) {
      const { agreements, timeZone } = configuration;
      const version = agreementsVersion(agreements, [channel.from, channel.to], this.#gateway.clock.now(), timeZone);
      await reopenChannel(this.#gateway, channel.id, `${configuration.hash} ${version}`);
    }
  }
}

/** Accepts the channel's denied notices again when what it is decided under has changed; asks once a change. */
export async function reopenChannel(gateway: Gateway, channel: string, version: string): Promise<void> {
  const { versions } = gateway.store;
  const before = await versions.decidedUnder(channel);
  if (before === version) return;
  if (before !== undefined) await acceptDenied(gateway, { channel }, `decided under ${version}`);
  await versions.setDecidedUnder(channel, version);
}

async function mayRead(gateway: Gateway, id: string): Promise<boolean> {
  const { config, connector, types } = gateway.system(id);
  gateway.identities.forget(id);
  try {
    await gateway.identities.ensure(config, connector);
    const [type] = types;
    if (type !== undefined) await connector.poll({ type, cursor: undefined, fields: [], limit: 1 });
    return true;
  } catch {
    return false;
  }
}
