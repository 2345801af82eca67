// What `sluice doctor` finds: one line each, with the fix of whatever is not well.
import { asSluiceError, type SluiceError } from "../../core/errors.ts";
import { ConfigurationError } from "../../settings/problems.ts";

export interface Finding {
  readonly check: string;
  readonly level: "ok" | "warning" | "problem";
  readonly text: string;
  readonly fix?: string;
}

export function ok(check: string, text: string): Finding {
  return { check, level: "ok", text };
}

export function warning(check: string, text: string, fix: string): Finding {
  return { check, level: "warning", text, fix };
}

export function problem(check: string, text: string, fix?: string): Finding {
  return { check, level: "problem", text, ...(fix === undefined ? {} : { fix }) };
}

/** Does the work; its error is a finding. */
export async function attempt<T>(
  check: string,
  findings: Finding[],
  work: () => T | Promise<T>,
  words?: (result: T) => string,
): Promise<T | undefined> {
  try {
    const result = await work();
    if (words) findings.push(ok(check, words(result)));
    return result;
  } catch (error) {
    findings.push(failed(check, asSluiceError(error)));
    return undefined;
  }
}

export function failed(check: string, error: SluiceError): Finding {
  const hint = error instanceof ConfigurationError ? "each problem has its hint beside it" : error.detail.hint;
  return problem(check, error.message, hint);
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MB`;
}

const mostClockDifferenceMs = 30_000;
const worryingClockDifferenceMs = 5_000;

/**
 * Assertions and signatures allow minutes, cursors rely on seconds. Between processes of one deployment some seconds do no
 * harm; more make waits and probes early or late.
 */
export function clockFinding(check: string, whose: string, differenceMs: number, strict: boolean): readonly Finding[] {
  const difference = Math.abs(differenceMs);
  if (difference <= (strict ? worryingClockDifferenceMs : mostClockDifferenceMs)) return [];
  const text = `the clock of ${whose} and ours differ by ${Math.round(difference / 1000)} s`;
  return [warning(check, text, "synchronise the clocks of both machines (NTP)")];
}
