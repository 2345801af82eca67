// Two allowances that are given out in advance, so that a process need not ask at each request: requests a second
// (`rate`) and calls a day (`dailyLimit`, `dailyShare`). What a process that died had leased is lost, never made twice.
import type { Budget, Limits, Member } from "./budget.ts";

type Bucket = Budget["bucket"];

/** More than this ahead of our clock was written under a clock that is plainly wrong. */
const clocksApartMs = 10_000;
/** Most calls leased at once. */
const mostCalls = 200;
/** Part of the day's calls that backfill leaves to live work. */
export const keptForLive = 0.2;

/**
 * The bucket filled up to now, holding a second's worth at most and one token at least. The time up to which it was filled
 * only moves forward, so clocks that differ fill nothing twice.
 */
export function filled(bucket: Bucket, rate: number, now: number): Bucket {
  const most = Math.max(1, rate);
  const from = bucket.at > now + clocksApartMs ? now : bucket.at;
  if (from === 0) return { tokens: most, at: now };
  const at = Math.max(from, now);
  return { tokens: Math.min(most, bucket.tokens + (rate * (at - from)) / 1000), at };
}

/** Tokens for `me`: its share, but one is left for each process that drew longer ago and wants one. */
export function drawTokens(tokens: number, others: readonly Member[], me: Pick<Member, "drew">): number {
  const wanting = others.filter((other) => other.demand > 0);
  const ahead = wanting.filter((other) => other.drew < me.drew).length;
  const whole = Math.floor(tokens);
  const fair = Math.max(1, Math.floor(whole / (wanting.length + 1)));
  return Math.max(0, Math.min(fair, whole - ahead));
}

/** Most requests a day; undefined = no limit, or the vendor has not told its own yet and calling is the way to learn it. */
export function dailyMost(
  limits: Pick<Limits, "dailyLimit" | "dailyShare">,
  quota: Budget["quota"],
): number | undefined {
  const own = limits.dailyLimit ?? Infinity;
  const share = limits.dailyShare ?? 1;
  const vendor = limits.dailyShare !== undefined && quota.vendor ? Math.floor(quota.vendor.limit * share) : Infinity;
  const most = Math.min(own, vendor);
  return most === Infinity ? undefined : most;
}

/** Calls for one process: a part of what is left when all other leases are counted as made. */
export function leaseCalls(most: number, used: number, others: readonly Member[]): number {
  const left = most - used - others.reduce((sum, other) => sum + other.calls, 0);
  if (left <= 0) return 0;
  return Math.min(mostCalls, Math.max(1, Math.floor(left / (2 * (others.length + 1)))));
}

/** Whether the day's calls are used up, for backfill or for all. */
export function isUsedUp(most: number | undefined, used: number, background: boolean): boolean {
  return most !== undefined && used >= (background ? Math.floor(most * (1 - keptForLive)) : most);
}
