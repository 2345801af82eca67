// The answers of a system that is shut for now, as the governor gives them without asking it: all transient, so that
// exchanges wait without an attempt.
import { SluiceError, type ErrorCode } from "../../core/errors.ts";
import { dailyMost, isUsedUp } from "./leases.ts";
import { dayIn, untilNextDay } from "./day.ts";
import type { Budget, Limits } from "./budget.ts";

/** Refusals made here are not the system's own, and close nothing. */
const own = new WeakSet<SluiceError>();

/** What has used up its day's calls asks again after so long: somebody may have raised the limit. */
const quotaWaitMs = 15 * 60_000;
/** While another process's probe is under way. */
const probeWaitMs = 1_000;

export function isOwnRefusal(error: SluiceError): boolean {
  return own.has(error);
}

export interface Asked {
  readonly system: string;
  readonly background: boolean;
  readonly now: number;
  readonly timeZone: string;
}

/** Undefined: the budget does not forbid a request. */
export function refusalOf(budget: Budget, limits: Limits, asked: Asked): SluiceError | undefined {
  const { system, now } = asked;
  const { opened, openUntil, failures } = budget.breaker;
  if (budget.closedUntil > now) {
    return refuse("system-throttled", `${system} asked us to wait`, budget.closedUntil - now);
  }
  if (opened > 0 && openUntil > now) {
    return refuse("system-unreachable", `${system} failed ${failures} times one after the other`, openUntil - now);
  }
  return usedUp(budget, limits, asked);
}

function usedUp({ quota }: Budget, limits: Limits, asked: Asked): SluiceError | undefined {
  const most = dailyMost(limits, quota);
  if (!isUsedUp(most, quota.used, asked.background) || quota.day < dayIn(asked.timeZone, asked.now)) return undefined;
  const wait = Math.min(quotaWaitMs, untilNextDay(asked.timeZone, asked.now));
  const what = isUsedUp(most, quota.used, false) ? "the day's requests" : "backfill's part of the day's requests";
  return refuse("system-throttled", `${what} to ${asked.system} are used up`, wait, "raise dailyLimit or dailyShare");
}

export function leasedElsewhere(system: string): SluiceError {
  return refuse("system-throttled", `what is left of the day's requests to ${system} is other processes'`, probeWaitMs);
}

export function probedElsewhere(system: string): SluiceError {
  return refuse(
    "system-unreachable",
    `${system} failed, and another request is finding out whether it is back`,
    probeWaitMs,
  );
}

export function waitedInVain(system: string, why: string): SluiceError {
  return refuse("system-busy", `no request to ${system} could be made in time: ${why}`);
}

function refuse(code: ErrorCode, message: string, retryAfter?: number, hint?: string): SluiceError {
  const error = new SluiceError(code, message, {
    retry: "transient",
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(hint === undefined ? {} : { hint }),
  });
  own.add(error);
  return error;
}
