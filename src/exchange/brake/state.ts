// A channel's brake as all processes share it: what it has counted, whether it has stopped the channel, what persons
// decided. One register a channel, moved by compare-and-swap. No PHI, no record ids.
import type { BrakeKind } from "../../core/configuration.ts";
import { SluiceError } from "../../core/errors.ts";
import { isJsonObject, parseJson } from "../../core/json.ts";
import type { Registered } from "../ports.ts";

export interface Counted {
  /** Records counted, by slot of five minutes since 1970; older ones than an hour are dropped. */
  readonly recent: readonly (readonly [slot: number, count: number])[];
  /** Busiest hour of each of the last days since 1970 (UTC); null = a person said that this day was none to learn from. */
  readonly days: readonly (readonly [day: number, busiest: number | null])[];
}

/** A person must decide. */
export interface Stopped {
  readonly since: number;
  readonly kind: BrakeKind;
  /** Records in the hour before, with the one that was too many. */
  readonly count: number;
  readonly limit: number;
}

export const choices = ["apply", "discard", "restore"] as const;
export type Choice = (typeof choices)[number];

/** What becomes of exchanges accepted up to `until` that would do this. */
export interface Decision {
  readonly kind: BrakeKind;
  readonly choice: Choice;
  /** Time of acceptance of the newest exchange that it is about. */
  readonly until: number;
  readonly at: number;
}

export interface BrakeState {
  readonly kinds: Readonly<Partial<Record<BrakeKind, Counted>>>;
  readonly stopped: Stopped | undefined;
  /** Oldest first. */
  readonly decisions: readonly Decision[];
}

export const nothingCounted: Counted = { recent: [], days: [] };
export const untouched: BrakeState = { kinds: {}, stopped: undefined, decisions: [] };

export const prefix = "brake/";

export function registerOf(channel: string): string {
  return `${prefix}${channel}`;
}

/** Whose brake the register holds; undefined = it holds something else. */
export function channelOf(register: string): string | undefined {
  return register.startsWith(prefix) ? register.slice(prefix.length) : undefined;
}

/** Throws `store-unavailable` (no answer, so nothing passes) for what no version of this code wrote. */
export function stateOf(register: Pick<Registered, "value"> | undefined): BrakeState {
  if (register === undefined) return untouched;
  const value = parseJson(register.value);
  if (isJsonObject(value) && isJsonObject(value["kinds"]) && Array.isArray(value["decisions"]))
    return { ...untouched, ...(value as unknown as BrakeState) };
  throw new SluiceError("store-unavailable", "the state of a channel's brake cannot be read", {
    hint: "restore the store from its back-up",
  });
}
