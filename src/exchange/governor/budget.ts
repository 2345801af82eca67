// What all processes know together of one system: who works with it and how much of it each may use, until when it wants
// no request, whether its circuit is open, what was used today. Kept in the register `budget/SYSTEM`, moved by
// compare-and-swap only; the number of a move is the only order of events between processes.
import { z } from "zod";
import type { SystemConfig } from "../../core/configuration.ts";
import { SluiceError } from "../../core/errors.ts";
import { parseJson } from "../../core/json.ts";

const count = z.int().min(0);

const memberSchema = z.object({
  /** Random, one a process and system. */
  id: z.string(),
  /** Number of its newest move: one that stands still belongs to a process that has stalled or ended. */
  beat: count,
  /** Requests that wait or are under way in it. */
  demand: count,
  /** Requests that it may have under way. */
  granted: count,
  /** Number of the move at which it last came to hold a place, or to hold none. */
  since: count,
  /** Leased from `bucket` and not used yet. */
  tokens: count,
  /** Number of the move at which it last leased tokens. */
  drew: count,
  /** Calls of the day, leased and not made yet. */
  calls: count,
});

const breakerSchema = z.object({
  /** One after the other, by all processes, since the last answer. */
  failures: count,
  /** How many times it opened since the last answer; 0 = closed. */
  opened: count,
  /** Wall time. Clocks that differ by seconds make a probe seconds early or late, which does no harm. */
  openUntil: z.number(),
  /** The member whose next request is the probe. */
  probe: z.string().optional(),
});

const budgetSchema = z.object({
  v: z.literal(1),
  members: z.array(memberSchema),
  /** Wall time before which the system wants no request (Retry-After); as exact as the clocks of the processes. */
  closedUntil: z.number(),
  breaker: breakerSchema,
  /** Requests that may be made now under `rate`, and the wall time up to which it was filled. */
  bucket: z.object({ tokens: z.number(), at: z.number() }),
  quota: z.object({
    /** `YYYY-MM-DD` in the deployment's zone. */
    day: z.string(),
    /** Requests made by Sluice on that day, leases not counted. */
    used: count,
    /** The vendor's own count, as last told. */
    vendor: z.object({ used: count, limit: count }).optional(),
  }),
});

export type Budget = Readonly<z.infer<typeof budgetSchema>>;
export type Member = Readonly<z.infer<typeof memberSchema>>;
export type Breaker = Readonly<z.infer<typeof breakerSchema>>;

/** What the configuration says of a system's limits. */
export type Limits = Pick<SystemConfig, "concurrency" | "rate" | "dailyLimit" | "dailyShare" | "breaker">;

export const registerPrefix = "budget/";

export function emptyBudget(): Budget {
  return {
    v: 1,
    members: [],
    closedUntil: 0,
    breaker: { failures: 0, opened: 0, openUntil: 0 },
    bucket: { tokens: 0, at: 0 },
    quota: { day: "", used: 0 },
  };
}

/** Throws `store-unavailable` for what this version cannot read: then nothing is granted. */
export function readBudget(value: string | undefined): Budget {
  if (value === undefined) return emptyBudget();
  const parsed = budgetSchema.safeParse(parseJson(value));
  if (parsed.success) return parsed.data;
  throw new SluiceError("store-unavailable", "the shared budget of a system cannot be read", {
    hint: "see `npx sluice systems`; `npx sluice systems resume ID --reason TEXT` writes it anew",
  });
}

/** Until when nothing may be sent; 0 = now. A half-open circuit counts as open to one probe. */
export function shutUntil(budget: Budget, now: number): number {
  const { opened, openUntil } = budget.breaker;
  const until = Math.max(budget.closedUntil, opened > 0 ? openUntil : 0);
  return until > now ? until : 0;
}
