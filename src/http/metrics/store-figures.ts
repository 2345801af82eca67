// The figures that are read from the store: open exchanges, quarantine, the oldest one that waits, polls, the audit head.
// Counting a big ledger costs time, so an answer is kept: for 5 seconds at least, and for 20 times what it cost.
import type { Channel } from "../../core/configuration.ts";
import type { RowState } from "../../core/records.ts";
import type { Gateway } from "../../exchange/gateway.ts";
import { pollLane } from "../../exchange/lanes.ts";
import { pollsOf } from "../../exchange/rhythm.ts";
import { causeOfGroup, word, type Meters } from "./meters.ts";
import { readSystemFigures } from "./system-figures.ts";

const keptMs = 5_000;
const share = 20;
/** A scrape gets what there is after this; Prometheus gives up after 10 s. */
const patienceMs = 3_000;
const shown = ["queued", "sending", "applied", "quarantined"] as const satisfies readonly RowState[];

export class StoreFigures {
  readonly #gateway: Gateway;
  readonly #meters: Meters;
  #readAt: number | undefined;
  #cost = 0;
  #reading: Promise<void> | undefined;

  constructor(gateway: Gateway, meters: Meters) {
    this.#gateway = gateway;
    this.#meters = meters;
  }

  /** Brings the gauges up to date unless they are young enough; waits for a slow store a few seconds only. */
  async refresh(): Promise<void> {
    const { clock } = this.#gateway;
    const age = this.#age();
    if (age === undefined || age >= Math.max(keptMs, share * this.#cost)) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = undefined;
      });
      const enough = new AbortController();
      const patience = clock.sleep(patienceMs, enough.signal).catch(() => undefined);
      await Promise.race([this.#reading, patience]);
      enough.abort();
    }
    const now = this.#age();
    if (now !== undefined) this.#meters.storeReadAge.set(now / 1000);
  }

  #age(): number | undefined {
    return this.#readAt === undefined ? undefined : this.#gateway.clock.monotonic() - this.#readAt;
  }

  async #read(): Promise<void> {
    const { clock } = this.#gateway;
    const began = clock.monotonic();
    try {
      const show = await readFigures(this.#gateway);
      this.#forget();
      show(this.#meters);
      this.#readAt = began;
      this.#meters.storeUp.set(1);
    } catch {
      this.#forget();
      this.#readAt = undefined;
      this.#meters.storeUp.set(0);
    } finally {
      this.#cost = clock.monotonic() - began;
    }
  }

  #forget(): void {
    const { exchanges, waiting, quarantined, oldestQueued, pollAge, auditHead, storeReadAge } = this.#meters;
    const { throttled, circuitOpen, callsToday } = this.#meters;
    for (const gauge of [exchanges, waiting, quarantined, oldestQueued, pollAge]) gauge.reset();
    for (const gauge of [throttled, circuitOpen, callsToday]) gauge.reset();
    for (const gauge of [auditHead, storeReadAge]) gauge.remove();
  }
}

/** Reads everything, and only then answers how to show it: a scrape never sees half of it. */
async function readFigures(gateway: Gateway): Promise<(meters: Meters) => void> {
  const { store, active, clock } = gateway;
  const channels = [...active.configuration.channels.values()];
  const counts = await store.ledger.counts();
  const head = await store.audit.head();
  const oldest = await Promise.all(channels.map((channel) => oldestQueued(gateway, channel)));
  const polls = await Promise.all(
    pollsOf(gateway).map(async (poll) => ({
      ...poll,
      state: await store.cursors.get(pollLane(poll.system, poll.type)),
    })),
  );
  const showSystems = await readSystemFigures(gateway);
  const now = clock.now();
  return (meters) => {
    showSystems(meters);
    // A channel without exchanges shows 0, so that an alert about it can end.
    for (const { id } of channels) for (const state of shown) meters.exchanges.set({ channel: id, state }, 0);
    for (const { channel, state, cause, count } of counts) showCount(meters, channel, state, cause, count);
    for (const [index, { id }] of channels.entries()) meters.oldestQueued.set({ channel: id }, oldest[index] ?? 0);
    for (const { system, type, state } of polls) {
      if (state && state.goodAt > 0) meters.pollAge.set({ system, type }, Math.max(0, now - state.goodAt) / 1000);
    }
    meters.auditHead.set(head.n);
  };
}

function showCount(meters: Meters, of: string, state: RowState, cause: string | undefined, count: number): void {
  if (!shown.some((one) => one === state)) return;
  const channel = word(of);
  meters.exchanges.inc({ channel, state }, count);
  if (state === "quarantined") meters.quarantined.inc({ channel, cause: causeOfGroup(cause) }, count);
  if (state === "queued" && cause !== undefined) meters.waiting.inc({ channel, cause: word(cause) }, count);
}

/** Seconds since the oldest queued exchange of the channel was accepted. */
async function oldestQueued(gateway: Gateway, channel: Channel): Promise<number> {
  const [row] = await gateway.store.ledger.find({ channel: channel.id, states: ["queued"], limit: 1 });
  return row ? Math.max(0, gateway.clock.now() - row.acceptedAt) / 1000 : 0;
}
