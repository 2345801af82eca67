// Durations as people write them: `500ms`, `30s`, `15m`, `2h`, `7d`.

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const durationPattern = /^[1-9]\d{0,8}(ms|s|m|h|d)$/;

/** Milliseconds, or undefined when the text is no duration or longer than a year. */
export function parseDuration(text: string): number | undefined {
  const unit = durationPattern.exec(text)?.[1];
  if (unit === undefined) return undefined;
  const ms = Number.parseInt(text, 10) * (units[unit] ?? 0);
  return ms > 366 * 86_400_000 ? undefined : ms;
}

/** The shortest exact spelling: 900000 → `15m`. */
export function durationText(ms: number): string {
  const fitting = Object.entries(units).filter(([, size]) => ms >= size && ms % size === 0);
  const [unit, size] = fitting.at(-1) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}
