// How much is too much: a channel's records of one kind within an hour, against a floor and against its own past. Pure.
// An hour is told by the clock of the process that counts. Clocks that are some seconds apart put a record into the slot
// beside: the window has five minutes more than an hour, so no hour gets more than the limit for that.
import type { BrakeKind, BrakeLimit } from "../../core/configuration.ts";
import { nothingCounted, type BrakeState, type Choice, type Counted, type Decision, type Stopped } from "./state.ts";

const slotMs = 5 * 60_000;
const slotsOfAnHour = 12;
const dayMs = 24 * 3_600_000;
/** Longer than a month's rhythm, so that a practice's busiest day of the month is in its past. */
const daysRemembered = 35;
const decisionsRemembered = 16;

/** Of a channel that is not configured any more. */
export const nothingPasses: Readonly<Record<BrakeKind, BrakeLimit>> = {
  deletes: { perHour: 0, factor: 0 },
  cancellations: { perHour: 0, factor: 0 },
  clears: { perHour: 0, factor: 0 },
  identity: { perHour: 0, factor: 0 },
};

/** Records in the last hour (up to five minutes more). */
export function inLastHour({ recent }: Counted, now: number): number {
  return recent.filter(([slot]) => isRecent(slot, now)).reduce((sum, [, count]) => sum + count, 0);
}

function isRecent(slot: number, now: number): boolean {
  return slot >= Math.floor(now / slotMs) - slotsOfAnHour;
}

/**
 * The floor, or the factor times the busiest hour of the days before this one. Not of this day: else a load that goes on
 * for hours would raise its own limit each hour.
 */
export function limitOf({ days }: Counted, { perHour, factor }: BrakeLimit, now: number): number {
  const today = dayOf(now);
  const past = days.filter(([day]) => day < today && day >= today - daysRemembered);
  const busiest = past.reduce((most, [, one]) => Math.max(most, one ?? 0), 0);
  return Math.max(perHour, Math.floor(factor * busiest));
}

/** One record of each kind more, or, when that is too many of one, the channel stopped and nothing counted. */
export function count(
  state: BrakeState,
  kinds: readonly BrakeKind[],
  limits: Readonly<Record<BrakeKind, BrakeLimit>>,
  now: number,
): BrakeState {
  const kindsNow = { ...state.kinds };
  for (const kind of kinds) {
    const before = state.kinds[kind] ?? nothingCounted;
    const limit = limitOf(before, limits[kind], now);
    const after = oneMore(before, now);
    const sum = inLastHour(after, now);
    if (sum > limit) return { ...state, stopped: { since: now, kind, count: sum, limit } };
    kindsNow[kind] = after;
  }
  return { ...state, kinds: kindsNow };
}

function oneMore({ recent, days }: Counted, now: number): Counted {
  const slot = Math.floor(now / slotMs);
  const others = recent.filter(([one]) => one !== slot && isRecent(one, now));
  const here = recent.find(([one]) => one === slot)?.[1] ?? 0;
  const counted: Counted = { recent: [...others, [slot, here + 1]], days };
  const today = dayOf(now);
  const busiest = days.find(([day]) => day === today)?.[1];
  // A day that a person has struck out stays so.
  if (busiest === null) return counted;
  return withDay(counted, today, Math.max(busiest ?? 0, inLastHour(counted, now)));
}

function withDay({ recent, days }: Counted, day: number, busiest: number | null): Counted {
  const others = days.filter(([one]) => one !== day && one >= day - daysRemembered);
  return { recent, days: [...others, [day, busiest]] };
}

/**
 * A person has decided: the channel runs. What was applied was right, so counting begins anew and the day counts as past.
 * What was not right stays counted, so that more of it stops the channel at once, and nothing is learned of that day.
 */
export function decided(state: BrakeState, stopped: Stopped, choice: Choice, until: number, now: number): BrakeState {
  const before = state.kinds[stopped.kind] ?? nothingCounted;
  const after = choice === "apply" ? { ...before, recent: [] } : withDay(before, dayOf(stopped.since), null);
  const decision: Decision = { kind: stopped.kind, choice, until, at: now };
  return {
    kinds: { ...state.kinds, [stopped.kind]: after },
    stopped: undefined,
    decisions: [...state.decisions, decision].slice(-decisionsRemembered),
  };
}

/** What was decided about an exchange accepted then; of several decisions the first that it falls under. */
export function decisionOn(
  { decisions }: Pick<BrakeState, "decisions">,
  kind: BrakeKind,
  acceptedAt: number,
): Choice | undefined {
  return decisions.find((one) => one.kind === kind && acceptedAt <= one.until)?.choice;
}

function dayOf(now: number): number {
  return Math.floor(now / dayMs);
}
