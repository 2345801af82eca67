// One synthetic person, before any system has written them down.
import type { Place, Trait } from "./cast.ts";
import type { CanarySource } from "./canaries.ts";
import type { Prng } from "./prng.ts";
import { areaCodes, familyNames, givenNames, languages, streets, towns } from "./words.ts";

export interface Person {
  readonly place: Place;
  readonly trait: Trait;
  /** First given name, a phi canary in it. */
  readonly given: string;
  readonly middle: string | undefined;
  readonly family: string;
  readonly gender: "male" | "female" | "other" | "unknown";
  /** `YYYY-MM-DD`, the true one. */
  readonly birthDate: string;
  /** Ten digits. */
  readonly mobile: string;
  readonly home: string | undefined;
  readonly email: string;
  readonly street: string;
  readonly city: string;
  readonly state: string;
  readonly zip: string;
  readonly language: string;
  /** Medical record number in the EHR. */
  readonly mrn: string;
}

const day = 86_400_000;

/** @param at "Today", milliseconds. @param kin Shares household with this person: a parent, or a twin who also shares the birthday. */
export function makePerson(
  role: { readonly place: Place; readonly trait: Trait },
  at: number,
  random: Prng,
  canaries: CanarySource,
  kin: Person | undefined,
): Person {
  const family = role.trait === "test-patient" ? `ZZTEST ${random.pick(familyNames)}` : random.pick(familyNames);
  const [city, state, zip] = random.pick(towns);
  const own = {
    given: `${random.pick(givenNames)}-${canaries.name()}`,
    middle: random.chance(0.3) ? random.pick(givenNames) : undefined,
    gender: random.pick<Person["gender"]>(["female", "male", "female", "male", "other", "unknown"]),
    birthDate: birthDate(role.trait, at, random),
    mrn: `H${random.text("0123456789", 8)}`,
    language: random.pick(languages),
  };
  const household = {
    family,
    mobile: phone(random),
    home: random.chance(0.4) ? phone(random) : undefined,
    email: `p${random.text("abcdefghjkmnpqrstuvwxyz23456789", 10)}@${random.pick(["example.com", "mail.example.org", "harbor.test"])}`,
    street: `${1 + random.int(900)} ${random.pick(streets)}${random.chance(0.2) ? "\nApartment 4" : ""}`,
    city,
    state,
    zip,
  };
  if (!kin) return { ...role, ...own, ...household };
  const { family: surname, mobile, home, email, street, city: town, state: region, zip: code } = kin;
  const shared = { family: surname, mobile, home, email, street, city: town, state: region, zip: code };
  return { ...role, ...own, ...shared, ...(kin.trait === "family-twin" ? { birthDate: kin.birthDate } : {}) };
}

function birthDate(trait: Trait, at: number, random: Prng): string {
  const [least, most] = ages(trait);
  const years = least + random.int(most - least);
  // Between `years` and one year more, a week apart from either birthday.
  return new Date(at - (years * 365.25 + 7 + random.int(350)) * day).toISOString().slice(0, 10);
}

function ages(trait: Trait): readonly [number, number] {
  if (trait === "over-89") return [90, 103];
  if (trait === "minor" || trait === "family-twin") return [2, 17];
  if (trait === "family-parent") return [30, 48];
  return trait === "deceased" ? [60, 85] : [19, 84];
}

function phone(random: Prng): string {
  return `${random.pick(areaCodes)}55501${random.text("0123456789", 2)}`;
}

/** `(207) 555-0143`, `207-555-0143`, `+1 207 555 0143`: the same number as different people type it. */
export function phoneText(digits: string, style: "us" | "dashes" | "international"): string {
  const [area, exchange, line] = [digits.slice(0, 3), digits.slice(3, 6), digits.slice(6)];
  if (style === "us") return `(${area}) ${exchange}-${line}`;
  return style === "dashes" ? `${area}-${exchange}-${line}` : `+1 ${area} ${exchange} ${line}`;
}
