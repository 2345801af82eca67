// One move of one process: it tells what it did and wants, strikes members that have stalled, and takes its share. Pure: the
// budget before, and what the process knows, give the budget after.
import type { Budget, Limits, Member } from "./budget.ts";
import { afterSeen, probeIsFree, withoutProbe, type Seen } from "./circuit.ts";
import { dailyMost, drawTokens, filled, isUsedUp, leaseCalls } from "./leases.ts";
import { hold } from "./shares.ts";

export interface Standing {
  readonly id: string;
  /** Number that this move will have. */
  readonly version: number;
  /** Wall time. */
  readonly now: number;
  readonly today: string;
  readonly inFlight: number;
  readonly waiting: number;
  /** Leased and not used. */
  readonly tokens: number;
  readonly calls: number;
  /** Requests made since the last move. */
  readonly spent: number;
  readonly seen: Seen;
  /** Wall time until which the system asked this process to wait; 0 = it did not. */
  readonly closedUntil: number;
  readonly vendor?: { readonly used: number; readonly limit: number } | undefined;
  /** Members whose beat this process has itself seen stand still for too long. */
  readonly stalled: ReadonlySet<string>;
  /** Gives back everything and is gone. */
  readonly leaving: boolean;
}

export interface Ticked {
  readonly budget: Budget;
  readonly granted: number;
  readonly limit: number;
  readonly tokens: number;
  readonly calls: number;
  /** Others must hear of it soon. */
  readonly announce: boolean;
}

export function tick(before: Budget, me: Standing, limits: Limits): Ticked {
  const others = before.members.filter((member) => member.id !== me.id && !me.stalled.has(member.id));
  const breaker = breakerAfter(before, others, me, limits);
  const closedUntil = Math.max(before.closedUntil, me.closedUntil);
  const quota = quotaAfter(before, me);
  const most = dailyMost(limits, quota);
  const bucket = bucketAfter(before.bucket, me, limits);
  const shared = { ...before, closedUntil, breaker, quota, bucket };
  const announce = isNews(before, shared, most);
  if (me.leaving) {
    const budget = { ...shared, members: others };
    return { budget, granted: 0, limit: 0, tokens: 0, calls: 0, announce };
  }
  const mine = before.members.find((member) => member.id === me.id) ?? newcomer(me);
  const wanted = { ...mine, demand: me.waiting + me.inFlight };
  const { granted, limit } = hold(inPlace(others, before, wanted), wanted, me.inFlight, limits.concurrency, me.version);
  const draws = limits.rate !== undefined && (wanted.demand > 0 || others.length === 0);
  const tokens = draws ? drawTokens(bucket.tokens, others, mine) : 0;
  const calls = most === undefined ? 0 : leaseCalls(most, quota.used, others);
  const member: Member = {
    ...wanted,
    beat: me.version,
    granted,
    since: granted > 0 === mine.granted > 0 ? mine.since : me.version,
    tokens,
    drew: tokens > 0 ? me.version : mine.drew,
    calls,
  };
  const left = { ...bucket, tokens: bucket.tokens - tokens };
  return {
    budget: { ...shared, members: inPlace(others, before, member), bucket: left },
    granted,
    limit,
    tokens,
    calls,
    announce,
  };
}

function newcomer({ id, version }: Standing): Member {
  return { id, beat: version, demand: 0, granted: 0, since: version, tokens: 0, drew: version, calls: 0 };
}

/** Members keep their order, so that equal claims are decided equally by all. */
function inPlace(others: readonly Member[], before: Budget, mine: Member): Member[] {
  const at = before.members.findIndex((member) => member.id === mine.id);
  if (at < 0) return [...others, mine];
  const earlier = new Set(before.members.slice(0, at).map((member) => member.id));
  return [...others.filter(({ id }) => earlier.has(id)), mine, ...others.filter(({ id }) => !earlier.has(id))];
}

function breakerAfter(before: Budget, others: readonly Member[], me: Standing, limits: Limits): Budget["breaker"] {
  const { probe } = before.breaker;
  const isMine = probe === me.id;
  const isThere = isMine || others.some((member) => member.id === probe);
  const known = probe !== undefined && !isThere ? withoutProbe(before.breaker) : before.breaker;
  // A probe's outcome counts only while the probe is still ours: one that was struck meanwhile is somebody else's.
  const seen = isMine ? me.seen : { ...me.seen, probe: undefined };
  const after = afterSeen(known, seen, me.now, limits.breaker);
  const isWanted = me.waiting > 0 && !me.leaving && Math.max(before.closedUntil, me.closedUntil) <= me.now;
  return isWanted && probeIsFree(after, me.now) ? { ...after, probe: me.id } : leftBehind(after, me);
}

/** Who leaves does not take the probe along. */
function leftBehind(breaker: Budget["breaker"], me: Standing): Budget["breaker"] {
  return me.leaving && breaker.probe === me.id ? withoutProbe(breaker) : breaker;
}

/**
 * A day only moves forward: a clock that is behind counts to the day that has begun elsewhere. What a struck member had
 * leased counts as made.
 */
function quotaAfter({ quota: before, members }: Budget, me: Standing): Budget["quota"] {
  const lost = members.reduce(
    (sum, member) => sum + (member.id !== me.id && me.stalled.has(member.id) ? member.calls : 0),
    0,
  );
  const isNewDay = me.today > before.day;
  const used = Math.max(0, (isNewDay ? 0 : before.used + lost) + me.spent);
  const vendor = me.vendor ?? before.vendor;
  return { day: isNewDay ? me.today : before.day, used, ...(vendor && { vendor }) };
}

/** Filled up to now, with what this process had leased and not used put back. */
function bucketAfter(before: Budget["bucket"], me: Standing, { rate }: Limits): Budget["bucket"] {
  if (rate === undefined) return before;
  const now = filled(before, rate, me.now);
  return { ...now, tokens: Math.min(Math.max(1, rate), now.tokens + me.tokens) };
}

function isNews(
  before: Budget,
  after: Pick<Budget, "closedUntil" | "breaker" | "quota">,
  most: number | undefined,
): boolean {
  return (
    after.closedUntil !== before.closedUntil ||
    after.breaker.opened !== before.breaker.opened ||
    isUsedUp(most, after.quota.used, false) !== isUsedUp(most, before.quota.used, false)
  );
}
