// How many of a system's places each process may hold. Fair by demand; when there are more processes than places, the one
// that has waited longest comes next and the one that has held longest gives way, so that nobody starves.
import type { Member } from "./budget.ts";

export type Share = Pick<Member, "id" | "demand" | "granted" | "since">;

/** Member → places that it should come to. Never more than `capacity` together. `version`: number of the move under way. */
export function targetsOf(members: readonly Share[], capacity: number, version: number): ReadonlyMap<string, number> {
  const wanting = members.filter((member) => member.demand > 0);
  if (wanting.length > capacity) return inTurns(wanting, capacity, version, members.length);
  const targets = byDemand(wanting, capacity);
  const taken = [...targets.values()].reduce((sum, places) => sum + places, 0);
  // Half of what nobody asks for is given out all the same, so that not every request has to ask; the other half is there
  // for a process that comes.
  spread(targets, wanting.length > 0 ? wanting : members, Math.ceil((capacity - taken) / 2));
  return targets;
}

/** The smallest demands are met first; the rest share equally what is left. */
function byDemand(wanting: readonly Share[], capacity: number): Map<string, number> {
  const targets = new Map<string, number>();
  let left = capacity;
  const smallestFirst = [...wanting].sort((a, b) => a.demand - b.demand);
  for (const [index, member] of smallestFirst.entries()) {
    const places = Math.min(member.demand, Math.floor(left / (smallestFirst.length - index)));
    targets.set(member.id, places);
    left -= places;
  }
  return targets;
}

function spread(targets: Map<string, number>, members: readonly Share[], places: number): void {
  for (let n = 0; n < places && members.length > 0; n += 1) {
    const id = members[n % members.length]?.id ?? "";
    targets.set(id, (targets.get(id) ?? 0) + 1);
  }
}

/** A holder gives way after every member has moved about twice. */
function inTurns(
  wanting: readonly Share[],
  capacity: number,
  version: number,
  members: number,
): ReadonlyMap<string, number> {
  const longestFirst = [...wanting].sort((a, b) => a.since - b.since);
  const holders = longestFirst.filter((member) => member.granted > 0);
  const waiters = longestFirst.filter((member) => member.granted === 0);
  const room = Math.max(0, capacity - holders.length);
  const over = Math.max(0, holders.length - capacity);
  const due = holders.filter((member, index) => index < over || version - member.since >= 2 * members);
  const giveWay = new Set(due.slice(0, Math.max(over, waiters.length - room)));
  const next = waiters.slice(0, capacity - (holders.length - giveWay.size));
  return new Map([
    ...holders.map((member) => [member.id, giveWay.has(member) ? 0 : 1] as const),
    ...next.map((member) => [member.id, 1] as const),
  ]);
}

export interface Held {
  /** As written down: what this process may have under way at most. */
  readonly granted: number;
  /** Up to so many under way new requests may be made; less than `granted` while a place is being given back. */
  readonly limit: number;
}

/**
 * What `me` holds after its own move. It grows only by what is free, and free places are kept for those who hold none and
 * have waited longer; it shrinks only by what is not under way.
 */
export function hold(members: readonly Share[], me: Share, inFlight: number, capacity: number, version: number): Held {
  const target = targetsOf(members, capacity, version).get(me.id) ?? 0;
  if (target <= me.granted) {
    const granted = Math.max(target, Math.min(inFlight, me.granted));
    return { granted, limit: target };
  }
  const taken = members.reduce((sum, member) => sum + member.granted, 0);
  const ahead = members.filter((other) => other.id !== me.id && isAhead(other, me)).length;
  const granted = Math.min(target, me.granted + Math.max(0, capacity - taken - ahead));
  return { granted, limit: granted };
}

function isAhead(other: Share, me: Share): boolean {
  if (other.demand === 0 || other.granted > 0) return false;
  return me.granted > 0 || other.since < me.since;
}
