// Dates reduced to years, and the joint rule on ages over 89: no birth year together with an event year that is released
// may show an age of 90 or more (45 CFR 164.514(b)(2)(i)(C); HHS guidance of 2012-11-26).

/** Ages from this one on are one class, "90 or older". */
export const topAge = 90;

const form =
  /^(\d{4})(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01])(?:T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d))?)?)?$/;

/** Year of a FHIR date, dateTime or instant as written; undefined when it is none. */
export function yearOf(text: unknown): number | undefined {
  const year = typeof text === "string" ? form.exec(text)?.[1] : undefined;
  return year === undefined || year === "0000" ? undefined : Number(year);
}

/**
 * The last year that anything released may fall in or be read in: the year at the latest place on Earth, plus the years
 * for which the output will be kept.
 */
export function horizonYear(at: number, years: number): number {
  return new Date(at + 14 * 3_600_000).getUTCFullYear() + years;
}

/** Later event years would, beside a birth year judged against the horizon, show an age that was not judged. */
export function eventYear(text: unknown, horizon: number): string | undefined {
  const year = yearOf(text);
  return year === undefined || year > horizon ? undefined : written(year);
}

/**
 * The birth year if nobody can conclude an age of 90 or more from it; undefined otherwise.
 * @param death Year of death: the person grew no older. A death before birth or after the horizon is not believed.
 */
export function birthYear(born: number, horizon: number, death: number | undefined): string | undefined {
  const last = death === undefined || death > horizon ? horizon : death;
  const age = last - born;
  return age < 0 || age >= topAge ? undefined : written(born);
}

function written(year: number): string {
  return String(year).padStart(4, "0");
}
