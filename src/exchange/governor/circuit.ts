// The circuit breaker of one system: failures one after the other open it, for a time that doubles; then exactly one
// request, of one process, is the probe: its answer closes the circuit, its failure opens it for longer.
import type { Breaker, Limits } from "./budget.ts";

/** What a process has seen since its last move. */
export interface Seen {
  /** There was an answer; `failures` counts from the last one on. */
  readonly answered: boolean;
  readonly failures: number;
  /** What became of the probe, when this process had it; `unused`: no request was made. */
  readonly probe?: "answered" | "failed" | "unused" | undefined;
}

export const nothingSeen: Seen = { answered: false, failures: 0 };

/** What was seen first, then what was seen after it. */
export function seenAfter(first: Seen, then: Seen): Seen {
  return {
    answered: first.answered || then.answered,
    failures: then.answered ? then.failures : first.failures + then.failures,
    probe: then.probe ?? first.probe,
  };
}

export function afterSeen(before: Breaker, seen: Seen, now: number, limits: Limits["breaker"]): Breaker {
  if (before.opened > 0) return afterProbe(before, seen.probe, now, limits);
  const failures = seen.answered ? seen.failures : before.failures + seen.failures;
  if (failures < limits.failures) return { failures, opened: 0, openUntil: 0 };
  return open(failures, 1, now, limits);
}

/** While the circuit is open only the probe counts: other answers belong to requests made before. */
function afterProbe(before: Breaker, probe: Seen["probe"], now: number, limits: Limits["breaker"]): Breaker {
  if (probe === "answered") return { failures: 0, opened: 0, openUntil: 0 };
  if (probe === "failed") return open(before.failures + 1, before.opened + 1, now, limits);
  if (probe === "unused") return withoutProbe(before);
  return before;
}

function open(failures: number, opened: number, now: number, { baseMs, capMs }: Limits["breaker"]): Breaker {
  return { failures, opened, openUntil: now + Math.min(capMs, baseMs * 2 ** Math.min(opened - 1, 30)) };
}

export function withoutProbe({ failures, opened, openUntil }: Breaker): Breaker {
  return { failures, opened, openUntil };
}

/** True when the circuit's time is over and nobody has the probe. */
export function probeIsFree({ opened, openUntil, probe }: Breaker, now: number): boolean {
  return opened > 0 && openUntil <= now && probe === undefined;
}
