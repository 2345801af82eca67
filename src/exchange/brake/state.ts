// A channel's brake as all processes share it: what it has counted, whether it has stopped the channel, what persons
// decided. One register a channel, moved by compare-and-swap. No PHI, no record ids.
import { z } from "zod";
import { brakeKinds, type BrakeKind } from "../../core/configuration.ts";
import { SluiceError } from "../../core/errors.ts";
import { parseJson } from "../../core/json.ts";
import type { Registered, Store } from "../ports.ts";

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

const prefix = "brake/";

export function registerOf(channel: string): string {
  return `${prefix}${channel}`;
}

/** Whose brake the register holds; undefined = it holds something else. */
export function channelOf(register: string): string | undefined {
  return register.startsWith(prefix) ? register.slice(prefix.length) : undefined;
}

const number = z.int().min(0);
const countedSchema = z.strictObject({
  recent: z.array(z.tuple([number, number])),
  days: z.array(z.tuple([number, number.nullable()])),
});
const stateSchema = z.strictObject({
  kinds: z.partialRecord(z.enum(brakeKinds), countedSchema),
  stopped: z.strictObject({ since: z.number(), kind: z.enum(brakeKinds), count: number, limit: number }).optional(),
  decisions: z.array(
    z.strictObject({ kind: z.enum(brakeKinds), choice: z.enum(choices), until: z.number(), at: z.number() }),
  ),
});

/**
 * Throws `store-unavailable` (no answer, so nothing passes) for what this version did not write: a count that is no number
 * would be below every limit.
 */
export function stateOf(register: Pick<Registered, "value"> | undefined): BrakeState {
  if (register === undefined) return untouched;
  const parsed = stateSchema.safeParse(parseJson(register.value));
  if (parsed.success) return { ...untouched, ...parsed.data };
  throw new SluiceError("store-unavailable", "the state of a channel's brake cannot be read", {
    hint: "restore the store from its back-up",
  });
}

export interface StoppedChannel extends Stopped {
  readonly channel: string;
}

export async function stoppedChannels(store: Pick<Store, "registers">): Promise<readonly StoppedChannel[]> {
  const registers = await store.registers.list(prefix);
  return registers.flatMap((register) => {
    const channel = channelOf(register.name);
    const { stopped } = stateOf(register);
    return channel !== undefined && stopped ? [{ channel, ...stopped }] : [];
  });
}
