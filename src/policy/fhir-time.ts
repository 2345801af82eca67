// Dates as intervals: a FHIR date or Period covers all of its own precision, and a date without a zone is a day of the
// deployment's time zone (FHIR R4 datatypes.html#dateTime, #Period).
import { isJsonObject, type Json } from "../core/json.ts";

/** Milliseconds since the epoch, `from` inclusive, `until` exclusive. */
export interface TimeRange {
  readonly from: number;
  readonly until: number;
}

const form =
  /^(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])(?:T((?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(\.\d+)?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)))?)?)?$/;

/** The interval that a `date`, `dateTime` or `instant` covers; undefined when the text is none of them. */
export function dateTimeRange(text: unknown, timeZone: string): TimeRange | undefined {
  const match = typeof text === "string" ? form.exec(text) : null;
  if (!match) return undefined;
  const [, year = "", month, day, time, fraction] = match;
  if (day !== undefined && !isDay(Number(year), Number(month), Number(day))) return undefined;
  if (time !== undefined) return momentRange(`${year}-${month}-${day}T${time.replace(/:60/, ":59")}`, fraction);
  const [y, m, d] = [Number(year), Number(month ?? 1), Number(day ?? 1)];
  const from = dayStart(y, m, d, timeZone);
  if (day !== undefined) return { from, until: dayStart(y, m, d + 1, timeZone) };
  return { from, until: month === undefined ? dayStart(y + 1, 1, 1, timeZone) : dayStart(y, m + 1, 1, timeZone) };
}

/** A Period, inclusive at both ends to the precision given, open where an end is missing; undefined when malformed. */
export function periodRange(period: Json | undefined, timeZone: string): TimeRange | undefined {
  if (!isJsonObject(period)) return undefined;
  const { start, end } = period;
  if (start === undefined && end === undefined) return undefined;
  const first = start === undefined ? { from: -Infinity, until: -Infinity } : dateTimeRange(start, timeZone);
  const last = end === undefined ? { from: Infinity, until: Infinity } : dateTimeRange(end, timeZone);
  if (!first || !last || first.from >= last.until) return undefined;
  return { from: first.from, until: last.until };
}

export function within(range: TimeRange, at: number): boolean {
  return range.from <= at && at < range.until;
}

/** The day of the deployment's zone at that moment, `YYYY-MM-DD`. */
export function localDay(at: number, timeZone: string): string {
  const local = new Date(at + offsetAt(at, timeZone));
  return local.toISOString().slice(0, 10);
}

/** True for a calendar day written `YYYY-MM-DD`. */
export function isCalendarDay(text: unknown): text is string {
  const match = typeof text === "string" ? /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) : null;
  return match !== null && isDay(Number(match[1]), Number(match[2]), Number(match[3]));
}

function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day));
  date.setUTCFullYear(year);
  return month >= 1 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

function momentRange(text: string, fraction: string | undefined): TimeRange | undefined {
  const from = Date.parse(text);
  if (Number.isNaN(from)) return undefined;
  const digits = fraction === undefined ? 0 : fraction.length - 1;
  return { from, until: from + Math.max(1, 1000 / 10 ** digits) };
}

/** Start of a day in a zone; months and days may run over. The second pass settles days on which the offset changes. */
function dayStart(year: number, month: number, day: number, timeZone: string): number {
  const utc = new Date(0);
  utc.setUTCFullYear(year, month - 1, day);
  const guess = utc.getTime() - offsetAt(utc.getTime(), timeZone);
  return utc.getTime() - offsetAt(guess, timeZone);
}

const formats = new Map<string, Intl.DateTimeFormat>();
const lately = new Map<string, { readonly second: number; readonly offset: number }>();

/** Milliseconds that the zone is ahead of UTC at that moment; changes on whole seconds only, so the last one is kept. */
function offsetAt(at: number, timeZone: string): number {
  const second = Math.floor(at / 1000);
  const known = lately.get(timeZone);
  if (known?.second === second) return known.offset;
  const offset = findOffset(at, timeZone);
  lately.set(timeZone, { second, offset });
  return offset;
}

function findOffset(at: number, timeZone: string): number {
  let format = formats.get(timeZone);
  if (!format) {
    const style = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" } as const;
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      ...style,
      second: "numeric",
      hourCycle: "h23",
      era: "short",
    });
    formats.set(timeZone, format);
  }
  const parts = new Map(format.formatToParts(at).map((part) => [part.type, part.value]));
  const part = (name: Intl.DateTimeFormatPartTypes): number => Number(parts.get(name) ?? "0");
  const local = new Date(0);
  local.setUTCFullYear(
    parts.get("era")?.startsWith("B") ? 1 - part("year") : part("year"),
    part("month") - 1,
    part("day"),
  );
  local.setUTCHours(part("hour"), part("minute"), part("second"));
  return local.getTime() - Math.floor(at / 1000) * 1000;
}
