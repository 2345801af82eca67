// How commands speak: results to standard output as tables or, with --json, as JSON lines; everything else to standard error.
import Table from "cli-table3";
import { SluiceError, type ErrorCode } from "../core/errors.ts";
import { ConfigurationError } from "../settings/problems.ts";

export const exitCodes = { done: 0, refused: 1, usage: 2, unreachable: 3 } as const;

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A plain table: one row a line, wide cells wrapped. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  widths?: readonly number[],
): string {
  const made = new Table({
    head: [...head],
    style: { head: [], border: [] },
    wordWrap: true,
    ...(widths ? { colWidths: [...widths] } : {}),
  });
  for (const row of rows) made.push([...row]);
  return made.toString();
}

const unreachable: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "system-unreachable",
  "system-timeout",
  "system-busy",
  "store-unavailable",
  "queue-unavailable",
]);
const usage: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["config-invalid", "usage-wrong", "key-missing"]);

/** Tells what went wrong and what to do; answers the exit code. */
export function failure(error: unknown): number {
  if (!(error instanceof SluiceError)) {
    const places =
      error instanceof Error
        ? (error.stack ?? "").split("\n").filter((line) => line.trimStart().startsWith("at "))
        : [];
    tell(
      `sluice: unexpected ${error instanceof Error ? error.constructor.name : typeof error}\n${places.slice(0, 8).join("\n")}`,
    );
    return exitCodes.refused;
  }
  if (error instanceof ConfigurationError) {
    tell(`sluice: ${error.message}`);
    return exitCodes.usage;
  }
  const { where, hint } = error.detail;
  tell(
    `sluice: ${where === undefined ? "" : `${where}: `}${error.message} [${error.code}]${hint === undefined ? "" : `\nfix: ${hint}`}`,
  );
  if (usage.has(error.code)) return exitCodes.usage;
  return unreachable.has(error.code) ? exitCodes.unreachable : exitCodes.refused;
}
