// The day to which calls are counted: that of the deployment's zone, since people read "used up until tomorrow".

const formats = new Map<string, Intl.DateTimeFormat>();
const longestDayMs = 26 * 3_600_000;

/** `YYYY-MM-DD`. @param timeZone IANA name. */
export function dayIn(timeZone: string, at: number): string {
  const known = formats.get(timeZone);
  const format =
    known ?? new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  if (!known) formats.set(timeZone, format);
  return format.format(at);
}

/** Milliseconds until the next day begins there, to the second. */
export function untilNextDay(timeZone: string, now: number): number {
  const today = dayIn(timeZone, now);
  let before = 0;
  let after = longestDayMs;
  while (after - before > 1000) {
    const middle = Math.floor((before + after) / 2);
    if (dayIn(timeZone, now + middle) === today) before = middle;
    else after = middle;
  }
  return after;
}
