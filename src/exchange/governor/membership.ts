// This process's part in a system's shared budget: it reads the register, moves it, and knows what it may use until the
// next move. While a move is under way it uses no more than it may both before and after it.
import type { Clock } from "../../core/clock.ts";
import { Stopwatch } from "../../core/stopwatch.ts";
import type { Registers } from "../ports.ts";
import { emptyBudget, readBudget, registerPrefix, type Budget, type Limits } from "./budget.ts";
import { withoutProbe } from "./circuit.ts";
import { dayIn } from "./day.ts";
import { leaseMs, MemberWatch } from "./member-watch.ts";
import type { Notes } from "./notes.ts";
import { tick, type Standing, type Ticked } from "./tick.ts";

/** Moves that others overtook, before it is left to the next time. */
const mostTries = 6;

export interface MembershipParts {
  /** Random, of this process and system. */
  readonly id: string;
  readonly system: string;
  readonly limits: Limits;
  readonly registers: Registers;
  readonly clock: Clock;
  readonly timeZone: string;
}

/** What only the process itself knows. */
export type Wants = Pick<Standing, "inFlight" | "waiting" | "vendor" | "leaving">;

export class Membership {
  readonly #parts: MembershipParts;
  readonly #notes: Notes;
  readonly #watch: MemberWatch;
  #known: { readonly budget: Budget; readonly version: number } = { budget: emptyBudget(), version: 0 };
  #good: Stopwatch | undefined;
  #granted = 0;
  #limit = 0;
  #tokens = 0;
  #calls = 0;

  constructor(parts: MembershipParts, notes: Notes) {
    this.#parts = parts;
    this.#notes = notes;
    this.#watch = new MemberWatch(parts.clock);
  }

  /** As last read or moved. */
  get budget(): Budget {
    return this.#known.budget;
  }

  /** The last move is not too long ago: what it gave still holds. */
  get isLeased(): boolean {
    return this.#good !== undefined && this.#good.elapsed() < leaseMs;
  }

  /** So many requests may be under way now. */
  get limit(): number {
    return this.isLeased ? this.#limit : 0;
  }

  get tokens(): number {
    return this.#tokens;
  }

  get calls(): number {
    return this.#calls;
  }

  /** Places wait to be given back until requests under way have ended. */
  get givesBack(): boolean {
    return this.#granted > this.#limit;
  }

  /** Places that nobody holds, as far as known. */
  get free(): number {
    const held = this.#known.budget.members.reduce((sum, member) => sum + member.granted, 0);
    return Math.max(0, this.#parts.limits.concurrency - held);
  }

  get isAlone(): boolean {
    return this.#known.budget.members.every((member) => member.id === this.#parts.id);
  }

  get hasProbe(): boolean {
    return this.#known.budget.breaker.probe === this.#parts.id;
  }

  /** One request less. */
  use(): void {
    this.#tokens -= 1;
    this.#calls -= 1;
  }

  async read(): Promise<void> {
    const { registers, system, id } = this.#parts;
    const register = await registers.get(registerPrefix + system);
    const version = register?.version ?? 0;
    // A move of our own may have overtaken this reading.
    if (version < this.#known.version) return;
    this.#known = { budget: readBudget(register?.value), version };
    if (!this.#known.budget.members.some((member) => member.id === id)) this.#good = undefined;
  }

  /** One move. Undefined: others were always faster. Throws what the store throws; then nothing more is granted. */
  async move(wants: () => Wants): Promise<Ticked | undefined> {
    const good = new Stopwatch(this.#parts.clock);
    for (let tries = 0; tries < mostTries; tries += 1) {
      if (tries > 0 || !this.#isCurrent()) await this.read();
      const ticked = await this.#try(wants());
      if (!ticked) continue;
      this.#good = good;
      return ticked;
    }
    return undefined;
  }

  /** Where no other process can be at work: whoever is in the budget has ended without leaving it. */
  async strikeOthers(): Promise<void> {
    await this.read();
    const { budget, version } = this.#known;
    if (budget.members.length === 0) return;
    const lost = budget.members.reduce((sum, member) => sum + member.calls, 0);
    const quota = { ...budget.quota, used: budget.quota.used + lost };
    const value = JSON.stringify({ ...budget, quota, breaker: withoutProbe(budget.breaker), members: [] });
    await this.#parts.registers.move(registerPrefix + this.#parts.system, version, value);
    await this.read();
  }

  /** Alone nobody else moves the register, so what was moved last needs no reading. */
  #isCurrent(): boolean {
    return this.isAlone && this.#known.budget.members.length === 1;
  }

  async #try(wants: Wants): Promise<Ticked | undefined> {
    const { registers, system } = this.#parts;
    const { budget, version } = this.#known;
    const next = tick(budget, this.#standing(wants, version + 1), this.#parts.limits);
    const before = { tokens: this.#tokens, calls: this.#calls };
    this.#tokens = Math.min(before.tokens, next.tokens);
    this.#calls = Math.min(before.calls, next.calls);
    this.#limit = Math.min(this.#limit, next.limit);
    const spare = { tokens: this.#tokens, calls: this.#calls };
    try {
      const value = JSON.stringify(next.budget);
      const isMoved = await registers.move(registerPrefix + system, version, value, { announce: next.announce });
      if (!isMoved) {
        this.#tokens += before.tokens - spare.tokens;
        this.#calls += before.calls - spare.calls;
        this.#notes.notTold();
        return undefined;
      }
    } catch (error) {
      this.#notes.notTold();
      throw error;
    }
    this.#notes.told();
    if (version >= this.#known.version) this.#known = { budget: next.budget, version: version + 1 };
    this.#granted = next.granted;
    this.#limit = next.limit;
    this.#tokens += next.tokens - spare.tokens;
    this.#calls += next.calls - spare.calls;
    return next;
  }

  #standing(wants: Wants, version: number): Standing {
    const { id, clock, timeZone } = this.#parts;
    const now = clock.now();
    return {
      ...wants,
      ...this.#notes.tell(),
      id,
      version,
      now,
      today: dayIn(timeZone, now),
      tokens: Math.max(0, this.#tokens),
      calls: Math.max(0, this.#calls),
      stalled: this.#watch.stalled(this.#known.budget.members),
    };
  }
}
