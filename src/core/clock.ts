// Time as a port: nothing in Sluice reads the machine's clock but through this, so tests can move it.
import { setTimeout as delay } from "node:timers/promises";

export interface Clock {
  /** Wall-clock time, milliseconds since 1970-01-01T00:00Z. */
  now(): number;
  /** Monotonic time, milliseconds since an arbitrary origin; never goes back. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with an AbortError when the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal ? { signal } : {});
  },
};

/** An instant as FHIR and the audit log write it: `2026-11-25T10:00:00.000Z`. */
export function instant(ms: number): string {
  return new Date(ms).toISOString();
}
