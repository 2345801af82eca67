// The governor of one system in one process: lets requests through as far as all processes together may, and tells the
// others what the answers say of the system. It moves the shared budget at once when it needs something, then now and then
// while it has work, and not at all without.
import type { Admission, AdmissionRequest, Outcome, Place, Turn } from "../../connector/admission.ts";
import type { DailyUsage } from "../../connector/contract.ts";
import type { Clock } from "../../core/clock.ts";
import { asSluiceError, type SluiceError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { Stopwatch } from "../../core/stopwatch.ts";
import { Beats, type Next } from "./beats.ts";
import { shutUntil, type Budget, type Limits } from "./budget.ts";
import { dailyMost } from "./leases.ts";
import { Membership, type MembershipParts } from "./membership.ts";
import { Notes } from "./notes.ts";
import { shut, tellLog, verdictOf, type Verdict } from "./outcome.ts";
import { isOwnRefusal, leasedElsewhere, probedElsewhere, refusalOf, waitedInVain } from "./refusal.ts";
import type { Ticked } from "./tick.ts";
import { WaitingLine, type Waiter } from "./waiting-line.ts";

/** Between two moves: alone; beside others; while something that only a move can give is waited for. */
const aloneMs = 1_000;
const besideMs = 500;
const wantingMs = 250;
/** Without a request for so long a process gives everything back. */
const idleMs = 1_000;
/** Of giving back, when the store does not answer; then others strike this process out. */
const mostFailures = 5;
const closeMs = 1_000;

export interface GovernorParts extends MembershipParts {
  readonly log: Log;
}

/** For metrics and tests. */
export interface GovernorState {
  readonly inFlight: number;
  readonly waiting: number;
  /** Wall time; 0 = it may be called. */
  readonly shutUntil: number;
  readonly budget: Budget;
}

export class Governor implements Admission {
  readonly #system: string;
  readonly #limits: Limits;
  readonly #timeZone: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #notes = new Notes();
  readonly #member: Membership;
  readonly #line = new WaitingLine();
  #inFlight = 0;
  /** `over`: its outcome is not yet known to the others, so the circuit stands as it stood. */
  #probe: "unmade" | "out" | "over" = "unmade";
  #lastUse: Stopwatch | undefined;
  #usage: () => DailyUsage | undefined = () => undefined;
  readonly #beats: Beats;
  #failedMoves = 0;
  #isClosed = false;

  constructor(parts: GovernorParts) {
    this.#system = parts.system;
    this.#limits = parts.limits;
    this.#timeZone = parts.timeZone;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#member = new Membership(parts, this.#notes);
    this.#beats = new Beats(parts.clock, () => this.#beat());
  }

  /** Where the vendor's own count is found. */
  watchUsage(usage: () => DailyUsage | undefined): void {
    this.#usage = usage;
  }

  admit(request: AdmissionRequest): Place | Turn {
    if (this.#isClosed) throw waitedInVain(this.#system, "this process is stopping");
    const refusal = this.#refusal(request);
    if (refusal) throw refusal;
    if (this.#line.size === 0 && this.#mayGo()) return this.#go(request);
    const { promise, resolve, reject } = Promise.withResolvers<Place>();
    const waiter = { request, resolve, reject };
    this.#line.add(waiter);
    this.#ask();
    return {
      place: promise,
      giveUp: () => {
        this.#line.remove(waiter);
        return waitedInVain(this.#system, this.#whatIsMissing());
      },
    };
  }

  /** An error that a connector made of an answer: some vendors say in the body that they want to be left alone. */
  note(error: SluiceError): void {
    const { retryAfter } = error.detail;
    if (error.code !== "system-throttled" || retryAfter === undefined || isOwnRefusal(error)) return;
    this.#take(shut(retryAfter));
  }

  /** Synchronous: no request of anybody goes through for now. Ends by itself with time. */
  isShut(): boolean {
    return this.#refusal({ channel: "", background: false }) !== undefined;
  }

  /** Another process moved the budget. */
  async heard(): Promise<void> {
    await this.#member.read();
    this.#settle();
  }

  /** At the start of a process that is the only one. */
  async strikeOthers(): Promise<void> {
    await this.#member.strikeOthers();
  }

  state(): GovernorState {
    const { budget } = this.#member;
    return {
      inFlight: this.#inFlight,
      waiting: this.#line.size,
      shutUntil: shutUntil(budget, this.#clock.now()),
      budget,
    };
  }

  /** Gives back what it holds; whoever waits is refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiter of this.#line.all()) this.#refuse(waiter, waitedInVain(this.#system, "this process is stopping"));
    const patience = new AbortController();
    const late = this.#clock.sleep(closeMs, patience.signal).catch(() => undefined);
    await Promise.race([this.#beats.stop(), late]);
    patience.abort();
  }

  #go(request: AdmissionRequest): Place {
    const isProbe = this.#member.budget.breaker.opened > 0;
    if (isProbe) this.#probe = "out";
    this.#inFlight += 1;
    this.#member.use();
    this.#notes.spend(1);
    this.#lastUse = new Stopwatch(this.#clock);
    return {
      check: () => {
        const { breaker } = this.#member.budget;
        const refusal = this.#refusal(request);
        if (refusal) throw refusal;
        if (breaker.opened > 0 && !(isProbe && this.#member.hasProbe)) throw probedElsewhere(this.#system);
        if (!this.#member.isLeased) throw waitedInVain(this.#system, "the store is silent");
      },
      done: (outcome) => {
        this.#done(outcome, isProbe);
      },
    };
  }

  #done(outcome: Outcome, isProbe: boolean): void {
    this.#inFlight -= 1;
    const verdict = verdictOf(outcome, this.#clock.now(), this.#limits.breaker.baseMs);
    if (verdict.kind === "unused") this.#notes.spend(-1);
    this.#take(verdict);
    if (isProbe) this.#probed(verdict);
    this.#pump();
    if (this.#member.givesBack) this.#beats.nudge();
  }

  #probed(verdict: Verdict): void {
    // Of a probe that was not made, the next one in the line is the probe.
    this.#probe = verdict.kind === "unused" && this.#line.size > 0 ? "unmade" : "over";
    if (this.#probe === "unmade") return;
    const probe = verdict.kind === "unused" ? "unused" : verdict.kind === "failing" ? "failed" : "answered";
    this.#notes.saw({ answered: false, failures: 0, probe });
    this.#beats.nudge();
  }

  #take(verdict: Verdict): void {
    if (verdict.kind === "unused") return;
    if (verdict.kind === "failing") {
      this.#notes.saw({ answered: false, failures: 1 });
      if (this.#isFailing()) this.#beats.nudge();
      return;
    }
    this.#notes.saw({ answered: true, failures: 0 });
    if (verdict.kind === "well") return;
    this.#notes.mustWait(this.#clock.now() + verdict.forMs);
    this.#settle();
    this.#beats.nudge();
  }

  /** So many failures that the circuit must open: nothing goes before that is known to all. */
  #isFailing(): boolean {
    return (
      this.#notes.failures > 0 &&
      this.#member.budget.breaker.failures + this.#notes.failures >= this.#limits.breaker.failures
    );
  }

  #refusal({ background }: AdmissionRequest): SluiceError | undefined {
    const { budget } = this.#member;
    const closedUntil = Math.max(budget.closedUntil, this.#notes.closedUntil);
    const asked = { system: this.#system, background, now: this.#clock.now(), timeZone: this.#timeZone };
    return refusalOf({ ...budget, closedUntil }, this.#limits, asked);
  }

  #mayGo(): boolean {
    if (this.#inFlight >= this.#member.limit) return false;
    if (this.#limits.rate !== undefined && this.#member.tokens < 1) return false;
    if (this.#isCounted() && this.#member.calls < 1) return false;
    if (this.#member.budget.breaker.opened > 0) return this.#member.hasProbe && this.#probe === "unmade";
    return !this.#isFailing();
  }

  #isCounted(): boolean {
    return dailyMost(this.#limits, this.#member.budget.quota) !== undefined;
  }

  #whatIsMissing(): string {
    if (this.#failedMoves > 0) return "the store does not answer";
    if (this.#limits.rate !== undefined && this.#member.tokens < 1) return "its rate is used up";
    return "all its places are taken";
  }

  #pump(): void {
    while (this.#line.size > 0 && this.#mayGo()) {
      const waiter = this.#line.next();
      if (!waiter) return;
      const refusal = this.#refusal(waiter.request);
      if (refusal) waiter.reject(refusal);
      else waiter.resolve(this.#go(waiter.request));
    }
  }

  /** The budget has changed: who is refused by it waits no longer, who may go goes. */
  #settle(): void {
    const { opened, probe } = this.#member.budget.breaker;
    const isElsewhere = opened > 0 && probe !== undefined && !this.#member.hasProbe;
    for (const waiter of this.#line.all()) {
      const refusal = this.#refusal(waiter.request) ?? (isElsewhere ? probedElsewhere(this.#system) : undefined);
      if (refusal) this.#refuse(waiter, refusal);
    }
    this.#pump();
  }

  #refuse(waiter: Waiter, error: SluiceError): void {
    this.#line.remove(waiter);
    waiter.reject(error);
  }

  /** Somebody waits: the process takes part, or says sooner that it has work now. */
  #ask(): void {
    if (!this.#beats.areRunning) this.#beats.begin();
    else if (this.#inFlight === 0 || this.#member.free > 0 || (this.#isCounted() && this.#member.calls < 1))
      this.#beats.nudge();
  }

  async #beat(): Promise<Next> {
    const isLeaving = this.#isIdle();
    const isMoved = await this.#move(isLeaving);
    if (isMoved && isLeaving) return this.#isIdle() ? "end" : "on";
    if (!isMoved && this.#isIdle() && (this.#isClosed || this.#failedMoves >= mostFailures)) return "end";
    const isWanting = this.#line.size > 0 && (this.#inFlight < this.#member.limit || this.#member.limit === 0);
    return { restMs: isWanting ? wantingMs : this.#member.isAlone ? aloneMs : besideMs };
  }

  #isIdle(): boolean {
    if (this.#isClosed) return true;
    if (this.#line.size > 0 || this.#inFlight > 0) return false;
    return this.#lastUse === undefined || this.#lastUse.elapsed() >= idleMs;
  }

  /** False when it could not be moved this time. */
  async #move(leaving: boolean): Promise<boolean> {
    const told = { probe: false };
    const wants = () => {
      told.probe = this.#probe === "over";
      return { inFlight: this.#inFlight, waiting: this.#line.size, vendor: this.#usage(), leaving };
    };
    const ticked = await this.#member.move(wants).catch((error: unknown) => {
      const { code } = asSluiceError(error);
      if (this.#failedMoves === 0)
        this.#log.warn({ system: this.#system, code, error }, "the shared budget stands still");
      return undefined;
    });
    this.#failedMoves = ticked ? 0 : this.#failedMoves + 1;
    if (!ticked) return false;
    if (told.probe) this.#probe = "unmade";
    this.#moved(ticked);
    return true;
  }

  #moved({ announce, calls, budget }: Ticked): void {
    if (announce) tellLog(this.#log, this.#system, shutUntil(budget, this.#clock.now()), this.#clock.now());
    const isNoneLeft = this.#isCounted() && calls === 0;
    if (isNoneLeft) for (const waiter of this.#line.all()) this.#refuse(waiter, leasedElsewhere(this.#system));
    this.#settle();
    // Nobody is there any more for whom the probe was asked.
    if (this.#member.hasProbe && this.#probe === "unmade" && this.#line.size === 0) this.#probed({ kind: "unused" });
  }
}
