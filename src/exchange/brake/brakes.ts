// The brakes of all channels in this process: counts before a write is put on record, stops a channel that does too much,
// and knows in memory which are stopped. What is shared is in the store; every count is made there.
import { makeEntry } from "../../audit/write.ts";
import { instant, type Clock } from "../../core/clock.ts";
import type { BrakeKind, Channel } from "../../core/configuration.ts";
import { SluiceError } from "../../core/errors.ts";
import type { Random } from "../../core/ids.ts";
import type { Log } from "../../core/log.ts";
import type { Store } from "../ports.ts";
import { count, decisionOn } from "./limits.ts";
import { registerOf, stateOf, stoppedChannels, type BrakeState, type Choice, type Stopped } from "./state.ts";

/** Other processes may be faster so often; then the exchange waits. */
const mostTries = 100;

export type Taken =
  /** These were counted now. */
  | { readonly kind: "passed"; readonly counted: readonly BrakeKind[] }
  | { readonly kind: "stopped" }
  /** Nothing was counted: a person has decided that these are not done. */
  | { readonly kind: "decided"; readonly choices: ReadonlyMap<BrakeKind, Exclude<Choice, "apply">> };

export interface Asked {
  /** When its exchange was accepted. */
  readonly acceptedAt: number;
  readonly kinds: readonly BrakeKind[];
  /** Of those, what this exchange has been counted for in an earlier attempt. */
  readonly counted: readonly BrakeKind[];
}

export class Brakes {
  readonly #store: Pick<Store, "registers" | "audit">;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #stopped = new Map<string, Stopped>();
  /** One after the other, so that this process does not race with itself. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(store: Pick<Store, "registers" | "audit">, clock: Clock, random: Random, log: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
  }

  /** Reads what earlier processes left; a stop that one of them could not put on record any more is put there now. */
  async load(): Promise<void> {
    for (const { channel, ...stopped } of await stoppedChannels(this.#store)) {
      this.#keep(channel, stopped);
      await this.#putOnRecord(channel, stopped);
    }
  }

  /** Another process has stopped it, or a person has decided. */
  reload(channel: string): Promise<void> {
    return this.#inTurn(channel, async () => {
      const { stopped } = stateOf(await this.#store.registers.get(registerOf(channel)));
      this.#keep(channel, stopped);
    });
  }

  /** True: none of the channel's exchanges runs. */
  has(channel: string): boolean {
    return this.#stopped.has(channel);
  }

  /** Channels that are stopped. */
  all(): readonly string[] {
    return [...this.#stopped.keys()];
  }

  /** Counts one record for each kind, or stops the channel: of all who are too many exactly one does. */
  take(channel: Channel, asked: Asked): Promise<Taken> {
    return this.#inTurn(channel.id, () => this.#take(channel, asked));
  }

  #inTurn<T>(channel: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(channel) ?? Promise.resolve();
    const turn = before.catch(() => undefined).then(work);
    this.#turns.set(channel, turn);
    return turn;
  }

  async #take(channel: Channel, asked: Asked): Promise<Taken> {
    const { registers } = this.#store;
    const name = registerOf(channel.id);
    for (let tries = 0; tries < mostTries; tries += 1) {
      const register = await registers.get(name);
      const state = stateOf(register);
      const known = this.#known(channel.id, state, asked);
      if (known) return known;
      const kinds = toCount(state, asked);
      const next = count(state, kinds, channel.brake, this.#clock.now());
      const { stopped } = next;
      const announce = stopped !== undefined;
      if (!(await registers.move(name, register?.version ?? 0, JSON.stringify(next), { announce }))) continue;
      if (!stopped) return { kind: "passed", counted: kinds };
      this.#keep(channel.id, stopped);
      await this.#putOnRecord(channel.id, stopped);
      return { kind: "stopped" };
    }
    throw new SluiceError("store-unavailable", "the channel's brake is asked by too many at once");
  }

  /** What needs no counting. */
  #known(channel: string, state: BrakeState, { acceptedAt, kinds, counted }: Asked): Taken | undefined {
    this.#keep(channel, state.stopped);
    if (state.stopped) return { kind: "stopped" };
    const choices = new Map<BrakeKind, Exclude<Choice, "apply">>();
    for (const kind of kinds) {
      const choice = decisionOn(state, kind, acceptedAt);
      if (choice !== undefined && choice !== "apply") choices.set(kind, choice);
    }
    if (choices.size > 0) return { kind: "decided", choices };
    return toCount(state, { acceptedAt, kinds, counted }).length === 0 ? { kind: "passed", counted: [] } : undefined;
  }

  #keep(channel: string, stopped: Stopped | undefined): void {
    if (stopped) this.#stopped.set(channel, stopped);
    else this.#stopped.delete(channel);
  }

  async #putOnRecord(channel: string, stopped: Stopped): Promise<void> {
    const { since, kind, count: found, limit } = stopped;
    const key = `administration.brake.${channel}.${since}`;
    if (await this.#store.audit.has(key)) return;
    const header = {
      v: 1,
      kind: "administration",
      at: instant(since),
      actor: "sluice",
      cause: "brake stopped",
      channel,
      reason: `${found} ${kind} within an hour, the limit is ${limit}`,
    } as const;
    await this.#store.audit.append([makeEntry(key, header, undefined, undefined, this.#random)]);
    this.#log.error(
      { channel, kind, count: found, limit },
      "the brake stopped a channel: see `npx sluice brake preview`; nothing of it is sent until a person decides",
    );
  }
}

function toCount(state: BrakeState, { acceptedAt, kinds, counted }: Asked): readonly BrakeKind[] {
  return kinds.filter((kind) => !counted.includes(kind) && decisionOn(state, kind, acceptedAt) === undefined);
}
