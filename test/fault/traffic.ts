// What goes over the wires of a fault run: decides which request fails and how, looks up the audit entry of every write in
// the instant of its arrival, and remembers which versions in the EHR are its users' own.
import { setTimeout as delay } from "node:timers/promises";
import type { Fault, SandboxOptions, SandboxRequest, SandboxWrite } from "../../src/connector/sandbox.ts";
import type { Prng } from "../../src/practice/prng.ts";
import type { LedgerView } from "./ledger-view.ts";

/** `late`: applied, but only after the gateway has given up; well within `visibleAfter`. */
export type Mishap = Exclude<Fault, "unauthorized"> | "late";

/** Shares of requests. */
export const rates: Readonly<Record<"write" | "read", readonly (readonly [Mishap, number])[]>> = {
  write: [
    ["unavailable", 0.06],
    ["timeout", 0.04],
    ["lost-answer", 0.08],
    ["throttled", 0.02],
    ["late", 0.04],
  ],
  read: [
    ["unavailable", 0.02],
    ["timeout", 0.005],
    ["throttled", 0.005],
  ],
};

export interface Happened {
  readonly what: string;
  /** Wall milliseconds. */
  readonly at: number;
  /** Ledger rows that it struck. */
  readonly rows: readonly string[];
}

/** So long may the look-up of an audit entry take; the write that has no answer by then is not applied. */
const lookUpMs = 600;
/** A database that was killed is back by then. */
const laterMs = 120_000;

export class Traffic {
  /** Request ids of writes in the order of their arrival. */
  readonly writes: string[] = [];
  readonly unaudited: string[] = [];
  readonly happened: Happened[] = [];
  stormy = true;
  readonly #view: LedgerView;
  readonly #random: Prng;
  readonly #timeoutMs: number;
  readonly #slackMs: number;
  /** Writes under way, since when, by request id. */
  readonly #arrivals = new Map<string, number>();
  readonly #late = new Set<string>();
  readonly #lookedUpLater: Promise<void>[] = [];
  readonly #usersOwn = new Set<string>();

  /** @param timeoutMs The gateway's, on a request. @param slackMs How long after it a write may still be applied. */
  constructor(view: LedgerView, random: Prng, timeoutMs: number, slackMs: number) {
    this.#view = view;
    this.#random = random;
    this.#timeoutMs = timeoutMs;
    this.#slackMs = slackMs;
  }

  options(): SandboxOptions {
    return { fault: (request) => this.#arrived(request), beforeWrite: (write) => this.#applying(write) };
  }

  usersOwn(type: string, id: string, version: string): void {
    this.#usersOwn.add(`${type}/${id}/${version}`);
  }

  isUsers(type: string, id: string, version: number): boolean {
    return this.#usersOwn.has(`${type}/${id}/${version}`);
  }

  note(what: string, rows: readonly string[]): void {
    this.happened.push({ what, at: Date.now(), rows });
  }

  /** Resolves when every look-up has its answer. */
  async settled(): Promise<void> {
    await Promise.all(this.#lookedUpLater);
  }

  async #arrived(request: SandboxRequest): Promise<Fault | undefined> {
    const header = request.headers["x-request-id"];
    const id = typeof header === "string" ? header : "none";
    const isWrite = request.method !== "GET";
    // Drawn first: a look-up that takes its time does not change who meets which fault.
    const mishap = this.stormy ? this.#draw(rates[isWrite ? "write" : "read"]) : undefined;
    if (isWrite) {
      this.#arrivals.set(id, performance.now());
      this.writes.push(id);
      if (!(await this.#isOnRecord(id))) {
        this.note("audit entry could not be looked up in time: write not answered", [rowOf(id)]);
        return "timeout";
      }
    }
    if (mishap === undefined) return undefined;
    // A read belongs to a row too, but for polls, whose ids name none.
    this.note(`${mishap} (${isWrite ? "write" : "read"})`, [rowOf(id)]);
    if (mishap !== "late") return mishap;
    this.#late.add(id);
    return undefined;
  }

  /** False: the database gave no answer; the entry is looked up as soon as it does. */
  async #isOnRecord(id: string): Promise<boolean> {
    const asked = this.#view.hasAudit(`${id}.disclosure`).catch(() => undefined);
    const answer = await Promise.race([asked, delay(lookUpMs, undefined, { ref: false })]);
    if (answer === undefined) this.#lookedUpLater.push(this.#lookUpLater(id));
    else if (!answer) this.unaudited.push(id);
    return answer !== undefined;
  }

  async #lookUpLater(id: string): Promise<void> {
    for (const until = performance.now() + laterMs; performance.now() < until;) {
      const answer = await this.#view.hasAudit(`${id}.disclosure`).catch(() => undefined);
      if (answer === true) return;
      if (answer === false) break;
      await delay(100);
    }
    this.unaudited.push(id);
  }

  #draw(from: readonly (readonly [Mishap, number])[]): Mishap | undefined {
    return from.find(([, share]) => this.#random.chance(share))?.[0];
  }

  async #applying({ requestId = "" }: SandboxWrite): Promise<void> {
    const arrived = this.#arrivals.get(requestId) ?? performance.now();
    this.#arrivals.delete(requestId);
    if (this.#late.delete(requestId)) await delay(this.#timeoutMs + 20 - (performance.now() - arrived));
    // A busy machine must not turn a write into one that breaks the promise of `visibleAfter`.
    if (performance.now() - arrived > this.#timeoutMs + this.#slackMs) throw new Error("too late to be applied");
  }
}

/** `<row id>.<attempt>` → the row id. */
function rowOf(requestId: string): string {
  return requestId.slice(0, Math.max(0, requestId.lastIndexOf(".")));
}
