// The one form that texts, dates and instants have inside Sluice, so that equal values compare equal from either side.
import type { Json } from "../core/json.ts";
import type { SluiceError } from "../core/errors.ts";

/** Makes the `mapping-refused` error for the field: what is wrong (never the value), and what to do. */
export type Refuse = (problem: string, hint: string) => SluiceError;

// FHIR allows no characters below 32 but tab, CR and LF (datatypes.html#string); 127–159 have no meaning in text either.
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

// Of plain ASCII without a space at either end every step below makes the same text again.
const plain = /^[!-~](?:[ -~]*[!-~])?$/;

/** NFC, trimmed, line ends \n; empty becomes null. Refuses control characters and halves of surrogate pairs. */
export function normalText(value: Json, refuse: Refuse): string | null {
  if (typeof value !== "string") throw refuse("is no text", "map a text field");
  if (plain.test(value)) return value;
  if (control.test(value) || !value.isWellFormed()) {
    throw refuse("has control or broken characters in it", "remove them from the record");
  }
  const normal = value.normalize("NFC").replaceAll(/\r\n?/g, "\n").trim();
  return normal === "" ? null : normal;
}

/** `YYYY`, `YYYY-MM` or `YYYY-MM-DD` of a day that exists; of a dateTime its date is not taken: it is refused. */
export function normalDate(value: Json, refuse: Refuse): string | null {
  const text = normalText(value, refuse);
  if (text === null) return null;
  const [, year, month, day] = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/.exec(text) ?? [];
  if (year === undefined || year === "0000" || !isDay(Number(year), Number(month ?? 1), Number(day ?? 1))) {
    throw refuse("is no date that exists", "write YYYY-MM-DD");
  }
  return text;
}

const instantForm = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|([+-])(\d\d):?(\d\d))$/;

/** The instant in UTC with milliseconds, `2026-11-25T15:00:00.000Z`. Without an offset it is no instant: refused. */
export function normalInstant(value: Json, refuse: Refuse): string | null {
  const text = normalText(value, refuse);
  if (text === null) return null;
  const [whole, year, month, day, hour, minute, second, sign, zoneHour, zoneMinute] = instantForm.exec(text) ?? [];
  const valid =
    whole !== undefined &&
    isDay(Number(year), Number(month), Number(day)) &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60 &&
    (sign === undefined || (Number(zoneHour) <= 14 && Number(zoneMinute) < 60));
  if (!valid) throw refuse("is no instant", "write date, time and offset: 2026-11-25T15:00:00Z");
  const offset = sign === undefined ? "Z" : `${sign}${zoneHour}:${zoneMinute}`;
  const utc = new Date(text.replace(/(?:Z|[+-]\d\d:?\d\d)$/, offset)).toISOString();
  if (!instantForm.test(utc)) throw refuse("is no instant of the years 0000 to 9999", "correct the record");
  return utc;
}

function isDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return day <= ([31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0);
}
