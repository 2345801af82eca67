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
  readonly #late = new Set<string>();
  readonly #usersOwn = new Set<string>();

  /** @param timeoutMs The gateway's, on a request. @param slackMs How long after it a late write may still be applied. */
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

  #arrived(request: SandboxRequest): Fault | undefined {
    const header = request.headers["x-request-id"];
    const id = typeof header === "string" ? header : "none";
    const isWrite = request.method !== "GET";
    if (isWrite) {
      this.writes.push(id);
      if (!this.#view.hasAudit(`${id}.disclosure`)) this.unaudited.push(id);
    }
    const mishap = this.stormy ? this.#draw(rates[isWrite ? "write" : "read"]) : undefined;
    if (mishap === undefined) return undefined;
    // A read belongs to a row too, but for polls, whose ids name none.
    this.happened.push({ what: `${mishap} (${isWrite ? "write" : "read"})`, at: Date.now(), rows: [rowOf(id)] });
    if (mishap !== "late") return mishap;
    this.#late.add(id);
    return undefined;
  }

  #draw(from: readonly (readonly [Mishap, number])[]): Mishap | undefined {
    return from.find(([, share]) => this.#random.chance(share))?.[0];
  }

  async #applying({ requestId = "" }: SandboxWrite): Promise<void> {
    if (!this.#late.delete(requestId)) return;
    const arrived = performance.now();
    await delay(this.#timeoutMs + 20);
    // A busy machine must not turn a late write into one that breaks the promise of `visibleAfter`.
    if (performance.now() - arrived > this.#timeoutMs + this.#slackMs) throw new Error("too late to be applied");
  }
}

/** `<row id>.<attempt>` → the row id. */
function rowOf(requestId: string): string {
  return requestId.slice(0, Math.max(0, requestId.lastIndexOf(".")));
}
