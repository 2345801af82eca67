// What the end of one request says about its system: that it is well, that it fails, or that it wants to be left alone.
import type { Outcome } from "../../connector/admission.ts";
import { retryAfterMs } from "../../connector/failures.ts";
import type { Log } from "../../core/log.ts";

export type Verdict =
  | { readonly kind: "well" }
  | { readonly kind: "failing" }
  | { readonly kind: "shut"; readonly forMs: number }
  | { readonly kind: "unused" };

/** Longer than any vendor's window: what asks for more is a mistake. */
const longestShutMs = 24 * 3_600_000;

/** @param shutMs For a 429 that does not say how long. RFC 9110 section 10.2.3, RFC 6585 section 4. */
export function verdictOf(outcome: Outcome, now: number, shutMs: number): Verdict {
  if (outcome.kind === "unused") return outcome;
  if (outcome.kind === "failed") return { kind: "failing" };
  const { status } = outcome;
  const wait = retryAfterMs(outcome.retryAfter, now);
  if (status === 429) return shut(wait ?? shutMs);
  if (status === 503 && wait !== undefined) return shut(wait);
  return { kind: status >= 500 || status === 408 ? "failing" : "well" };
}

export function shut(ms: number): Verdict {
  return { kind: "shut", forMs: Math.min(ms, longestShutMs) };
}

/** By the one process whose answers changed it. @param until Wall time; 0 = now. */
export function tellLog(log: Log, system: string, until: number, now: number): void {
  if (until > now) log.warn({ system, forMs: until - now }, "system is left alone for a while");
  else log.info({ system }, "system is called again");
}
