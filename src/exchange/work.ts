// Runs lanes: takes one, runs its due rows in order, gives it back. The queue's wake-ups make this fast, the sweep makes it
// certain: every second it wakes the lanes that have due rows and no holder, and lanes of stalled holders are taken over
// (ARCHITECTURE, Lanes).
import { asSluiceError } from "../core/errors.ts";
import { nothingPasses } from "./brake/limits.ts";
import { conclude, readBackDue, type Verdict } from "./conclude.ts";
import { finishBatch, runFeed } from "./feed.ts";
import type { Gateway } from "./gateway.ts";
import { LaneWatch, takeLane, type HeldLane } from "./lane.ts";
import { auditKey } from "./on-record.ts";
import type { Permit } from "./judge.ts";
import type { Row } from "./ports.ts";
import type { Subject } from "./resolve.ts";
import { startRun, syncRun, type Run } from "./run.ts";
import { finishApplied } from "./settle.ts";
import { runSyncEvent } from "./sync-event.ts";
import { wokenOf, type Woken } from "./woken.ts";

const sweepLimit = 500;
/** A lane gives way after so many rows, so that a long lane does not hold a drainer for ever. */
const rowsAtATime = 200;

export class Worker {
  readonly #gateway: Gateway;
  readonly #watch: LaneWatch;
  readonly #woken: Woken;
  /** Lanes taken from a stalled holder, until the queue lets a wake-up of them through again. */
  readonly #overtaken = new Set<string>();
  #takesNewWork = true;
  #superseded = false;
  #stopped = false;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    this.#watch = new LaneWatch(gateway.clock);
    this.#woken = wokenOf(gateway);
  }

  /** Starts consuming wake-ups. */
  async start(concurrency: number): Promise<void> {
    await this.#gateway.queue.onWake((lane) => {
      this.#overtaken.delete(lane);
      return this.run(lane);
    }, concurrency);
    await this.#gateway.queue.consume(this.#takesNewWork);
  }

  /** Runs the due rows of one lane, if nobody else holds it. Never throws. */
  async run(lane: string): Promise<void> {
    this.#woken.forget(lane);
    if (!this.#takesNewWork || lane.startsWith("poll:")) return;
    const { store, clock, active, log } = this.#gateway;
    try {
      await this.#gateway.hot.need();
      const held = await takeLane(lane, store.ledger, this.#watch, clock, active.configuration.leaseMs);
      if (held) await this.#drain(held);
    } catch (error) {
      const known = asSluiceError(error);
      if (known.code === "lane-lost") log.info({ lane }, "lane taken over by another holder");
      else if (known.code === "facts-stale") log.warn({ lane }, known.message);
      else log.error({ lane, code: known.code, error }, "a lane stopped; the sweep will start it again");
    }
  }

  async #drain(lane: HeldLane): Promise<void> {
    try {
      for (let rows = 0; rows < rowsAtATime && this.#takesNewWork; rows += 1) {
        await lane.need(this.#gateway.active.configuration.leaseMs / 2);
        const row = await this.#gateway.store.ledger.head(lane.hold);
        if (!row || row.next > this.#gateway.clock.now() || this.#isPaused(row)) return;
        if ((await runRow(this.#gateway, row, lane)) === "stop") return;
      }
    } finally {
      await lane.release();
    }
  }

  #isPaused(row: Row): boolean {
    const { brakes, active } = this.#gateway;
    const channel = active.configuration.channels.get(row.channel);
    if (brakes.has(row.channel)) return true;
    return channel !== undefined && (this.#isShut(channel.from) || this.#isShut(channel.to));
  }

  /** Paused, or left alone for a while by its governor. */
  #isShut(system: string): boolean {
    return this.#gateway.pauses.has(system) || this.#gateway.governors.isShut(system);
  }

  /** One sweep: answers how many lanes it woke. */
  async sweep(): Promise<number> {
    const { store, clock, queue } = this.#gateway;
    await this.checkConfiguration();
    if (!this.#takesNewWork) return 0;
    const lanes = await store.ledger.due(clock.now(), sweepLimit, this.#pausedChannels());
    let woken = 0;
    for (const lane of lanes) {
      if (this.#woken.has(lane)) continue;
      this.#woken.mark(lane);
      await queue.wake(lane);
      woken += 1;
    }
    return woken;
  }

  /** No new work while another configuration is current. */
  async checkConfiguration(): Promise<void> {
    const { store, active } = this.#gateway;
    const current = (await store.versions.current()) === active.configuration.hash;
    if (current === this.#takesNewWork || this.#stopped) return;
    this.#turn(current);
    // Wake-ups are for those who run them.
    await this.#gateway.queue.consume(current);
  }

  /**
   * Takes over lanes whose holder has stalled, here and now: while the holder's process lives the queue counts its job as
   * active, and keeps back every wake-up of that lane. So what is due there later is run here too.
   */
  async overtake(): Promise<void> {
    if (!this.#takesNewWork) return;
    const again = await this.#dueAfterOvertaking();
    const stalled = await this.#stalled();
    // A poll's lane is never woken.
    for (const lane of stalled) if (!lane.startsWith("poll:")) this.#overtaken.add(lane);
    await Promise.all([...again, ...stalled].map((lane) => this.run(lane)));
  }

  /** Lanes under way end after their current row. */
  stop(): void {
    this.#stopped = true;
    this.#takesNewWork = false;
  }

  /** False while another configuration is current: this process takes no new work. */
  get takesNewWork(): boolean {
    return this.#takesNewWork;
  }

  /** Another configuration is current: what was judged under this one may not be sent any more. */
  get superseded(): boolean {
    return this.#superseded;
  }

  #turn(current: boolean): void {
    this.#takesNewWork = current;
    this.#superseded = !current;
    const { log, active } = this.#gateway;
    if (current) log.info({ configuration: active.configuration.hash }, "this configuration is current: work goes on");
    else
      log.error(
        { configuration: active.configuration.hash },
        "another configuration was activated: restart to take it",
      );
  }

  async #dueAfterOvertaking(): Promise<readonly string[]> {
    if (this.#overtaken.size === 0) return [];
    const { store, clock } = this.#gateway;
    const due = await store.ledger.due(clock.now(), sweepLimit, this.#pausedChannels());
    return due.filter((lane) => this.#overtaken.has(lane));
  }

  async #stalled(): Promise<readonly string[]> {
    const { store, active } = this.#gateway;
    const held = await store.ledger.held();
    this.#watch.keepOnly(new Set(held.map((state) => state.lane)));
    return held.filter((state) => this.#watch.stalled(state, active.configuration.leaseMs)).map((state) => state.lane);
  }

  #pausedChannels(): readonly string[] {
    const channels = [...this.#gateway.active.configuration.channels.values()].filter(
      (channel) => this.#isShut(channel.from) || this.#isShut(channel.to),
    );
    return [...new Set([...channels.map((channel) => channel.id), ...this.#gateway.brakes.all()])];
  }
}

/** Runs one row and writes down what became of it. Throws `lane-lost` only. */
export async function runRow(gateway: Gateway, row: Row, lane: HeldLane): Promise<Verdict> {
  const progress: { subject?: Subject; permit?: Permit } = {};
  let run: Run = { ...unconfigured(gateway, row, lane) };
  try {
    run = startRun(gateway, row, lane);
    if (row.state === "sending" && (await neverOnRecord(run))) return "next";
    if (row.state === "sending" && (await letItBecomeVisible(run))) return "stop";
    if (row.state === "applied") {
      await (run.channel.kind === "feed" ? finishBatch(run, row) : finishApplied(run, row));
      return "next";
    }
    if (run.channel.kind === "feed") return await runFeed(run);
    if (await supersededBy(run)) return "next";
    await runSyncEvent(syncRun(run), progress);
    return "next";
  } catch (error) {
    return conclude(run, { person: progress.subject?.person, permit: progress.permit }, error);
  }
}

/** What `conclude` needs when the row's channel is no longer configured. */
function unconfigured(gateway: Gateway, row: Row, lane: HeldLane): Run {
  const channel = gateway.active.configuration.channels.get(row.channel) ?? {
    id: row.channel,
    kind: "sync" as const,
    from: row.source.system,
    to: "unknown",
    purpose: "TREAT" as const,
    resources: [],
    consentMaxAgeMs: 0,
    requireConsent: true,
    pollEveryMs: 0,
    batchSize: 1,
    brake: nothingPasses,
    mode: "off" as const,
  };
  const resource = { type: row.source.type, policy: "none" };
  return { gateway, active: gateway.active, row, lane, channel, resource, n: row.attempt + 1 };
}

/**
 * A store without transactions makes the row `sending` before its disclosure is on record, and nothing leaves before that:
 * a row without the entry was not sent. An error of the look-up is no answer, and is thrown.
 */
async function neverOnRecord(run: Run): Promise<boolean> {
  const { row, lane, gateway } = run;
  if (await gateway.store.audit.has(auditKey(row.id, row.attempt, "disclosure"))) return false;
  lane.kept(await gateway.store.ledger.unsend(row.id, [], lane.hold));
  return true;
}

/**
 * A row found in `sending` may have a request under way: its former holder's, until the lease and the timeout are over,
 * and at the destination until it is visible. Only then is it read back.
 */
async function letItBecomeVisible(run: Run): Promise<boolean> {
  const { row, lane, gateway, active } = run;
  if (row.cause === readBackDue) return false;
  const system = active.configuration.systems.get(run.channel.to);
  const { leaseMs } = active.configuration;
  const waitMs = leaseMs + (system?.timeoutMs ?? 0) + (system?.visibleAfterMs ?? 0) + gateway.clockToleranceMs;
  const plan = { next: gateway.clock.now() + waitMs, cause: readBackDue, failed: false, waiting: false };
  lane.kept(await gateway.store.ledger.defer(row.id, plan, [], lane.hold));
  return true;
}

/** Older notices of the same record end in favour of the newest one: what is sent is what is read when that one runs. */
async function supersededBy(run: Run): Promise<boolean> {
  const { row, lane, gateway } = run;
  const { ledger } = gateway.store;
  const now = gateway.clock.now();
  const same = await ledger.find({
    channel: row.channel,
    source: row.source,
    states: ["queued", "quarantined"],
    limit: 100,
  });
  const others = same.filter((other) => other.id !== row.id && other.lane === row.lane);
  if (others.some((other) => other.seq < row.seq)) await ledger.supersede(row, now, lane.hold);
  if (row.state !== "queued" || row.intent) return false;
  const newer = others.some((other) => other.state === "queued" && other.seq > row.seq && other.next <= now);
  if (!newer) return false;
  const end = { state: "superseded", cause: undefined, at: now } as const;
  lane.kept(await ledger.finish(row.id, end, [], lane.hold));
  return true;
}
