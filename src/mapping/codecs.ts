// The value conversions of a mapping. Each is a lens: what it reads from one side it writes to the other so that reading
// again gives the same neutral value; equal meanings (case of an e-mail, offset of an instant) have one neutral form.
import type { Clock } from "../core/clock.ts";
import type { MappingField } from "../core/configuration.ts";
import type { Json } from "../core/json.ts";
import { isFhirId } from "../fhir/ids.ts";
import { parseReference } from "../fhir/references.ts";
import { normalDate, normalInstant, normalText, type Refuse } from "./normal.ts";

/** undefined = unknown; null = known to be empty. */
export type Reading = Json | undefined;

export interface Codec {
  /** FHIR types of the leaf that it can sit on. */
  readonly types: readonly string[];
  /** The leaf is a whole list. */
  readonly list?: true;
  /** What a missing element means; absent: empty. */
  readonly missing?: Json;
  /** What another type of the same choice means; absent: unknown. */
  readonly otherChoice?: Json;
  /** Neither null nor unknown is given in. All four throw what `refuse` makes. */
  readonly fromCrm: (value: Json) => Reading;
  readonly toCrm: (neutral: Json) => Json;
  readonly fromFhir: (value: Json) => Reading;
  readonly toFhir: (neutral: Json) => Json;
}

export interface CodecContext {
  readonly field: MappingField;
  readonly refuse: Refuse;
  readonly clock: Clock;
}

type Make = (context: CodecContext) => Codec;

const same = (value: Json): Json => value;
const textTypes = ["string", "markdown", "uri", "url", "code", "id", "oid", "uuid", "canonical"];

/** A codec that reads both sides by one normalisation and writes what it normalised. */
function symmetric(types: readonly string[], read: (value: Json) => Reading): Codec {
  return { types, fromCrm: read, fromFhir: read, toCrm: same, toFhir: same };
}

/** Unicode NFC, no white space around it, line ends as \n. Empty is null. */
const text: Make = ({ refuse }) => symmetric(textTypes, (value) => normalText(value, refuse));

/** Text on one line in lower case, as CRMs keep addresses. */
const email: Make = ({ refuse }) =>
  symmetric(["string"], (value) => {
    const line = oneLine(normalText(value, refuse), refuse);
    return typeof line === "string" ? line.toLowerCase() : line;
  });

/** Kept as written (extensions and country survive); a number of one repeated digit is a placeholder and unknown. */
const phone: Make = ({ refuse }) =>
  symmetric(["string"], (value) => {
    const line = oneLine(normalText(value, refuse), refuse);
    return typeof line === "string" && /^\D*(\d)\D*(?:\1\D*){5,}$/.test(line) ? undefined : line;
  });

function oneLine(value: string | null, refuse: Refuse): string | null {
  if (value !== null && /[\n\t]/.test(value)) throw refuse("has more than one line", "correct the record");
  return value;
}

/** One CRM text of several lines ↔ a list, for example the lines of an address. */
const lines: Make = ({ refuse }) => {
  const split = (value: Json): Reading => {
    const whole = normalText(value, refuse);
    return whole === null
      ? null
      : whole
          .split("\n")
          .map((line) => line.trim())
          .filter((line) => line !== "");
  };
  const join = (value: Json): string => {
    if (!Array.isArray(value)) throw refuse("is no list of texts", "correct the record");
    return (value as readonly Json[]).map((line) => normalText(line, refuse) ?? "").join("\n");
  };
  return {
    types: ["string"],
    list: true,
    fromCrm: split,
    fromFhir: (value) => split(join(value)),
    toCrm: join,
    toFhir: same,
  };
};

/** A full date. FHIR may hold `YYYY` or `YYYY-MM`: kept there, refused where a CRM date field would have to hold it. */
const date: Make = ({ refuse }) => ({
  types: ["date", "dateTime"],
  fromCrm: (value) => fullDate(normalDate(value, refuse), refuse),
  toCrm: (neutral) => fullDate(normalDate(neutral, refuse), refuse),
  fromFhir: (value) => normalDate(value, refuse),
  toFhir: same,
});

function fullDate(value: string | null, refuse: Refuse): string | null {
  if (value === null || value.length === 10) return value;
  throw refuse("is a date without day", "complete the date, or map a CRM text field with the codec partial-date");
}

/** Dates of any precision, for CRM text fields. */
const partialDate: Make = ({ refuse }) => symmetric(["date", "dateTime"], (value) => normalDate(value, refuse));

/** A full date that is not in the future; 1900-01-01 stands for "not asked" and is unknown. */
const birthDate: Make = (context) => {
  const { refuse, clock } = context;
  const plain = date(context);
  const check = (value: Reading): Reading => {
    // +14:00 is the earliest zone: a day that has not begun there is in the future everywhere.
    const latest = new Date(clock.now() + 14 * 3_600_000).toISOString();
    if (typeof value === "string" && value > latest.slice(0, value.length)) {
      throw refuse("is in the future", "correct the date of birth");
    }
    return value === "1900-01-01" ? undefined : value;
  };
  return {
    ...plain,
    fromCrm: (value) => check(plain.fromCrm(value)),
    fromFhir: (value) => check(plain.fromFhir(value)),
  };
};

/** An instant with offset ↔ the same in UTC. The CRM form is Salesforce's: `2026-11-25T15:00:00.000+0000`. */
const instant: Make = ({ refuse }) => {
  const read = (value: Json): Reading => normalInstant(value, refuse);
  const toCrm = (neutral: Json): Json => (normalInstant(neutral, refuse) ?? "").replace("Z", "+0000");
  return { types: ["instant", "dateTime"], fromCrm: read, fromFhir: read, toCrm, toFhir: same };
};

const boolean: Make = ({ refuse }) =>
  symmetric(["boolean"], (value) => {
    if (typeof value !== "boolean")
      throw refuse("is neither true nor false", "map a yes/no field, or take the codec code");
    return value;
  });

/** A check box whose false means "not recorded": missing is false; another type of the choice (a date of death) is true. */
const flag: Make = (context) => ({ ...boolean(context), missing: false, otherChoice: true });

/** CRM picklist value ↔ FHIR code by the field's `table`; of several CRM values with one code the first is written. */
const code: Make = ({ field, refuse }) => {
  const toCode = new Map(Object.entries(field.table ?? {}));
  const toValue = new Map([...toCode].reverse().map(([value, one]) => [one, value]));
  const look = (map: ReadonlyMap<string, string>, value: Json, side: string): Json => {
    const found = typeof value === "string" ? map.get(value.trim()) : undefined;
    if (found === undefined) {
      throw refuse(`has a ${side} that is not in the mapping's table`, `add it to table: under the field ${field.crm}`);
    }
    return found;
  };
  const check = (value: Json): Json => look(toCode, look(toValue, value, "FHIR code"), "CRM value");
  return {
    types: ["code", "string", "uri"],
    fromCrm: (value) => look(toCode, value, "CRM value"),
    toCrm: (neutral) => look(toValue, neutral, "FHIR code"),
    fromFhir: check,
    toFhir: check,
  };
};

/** CRM record id ↔ Reference. Neutral: `{"$reference": {"type", "id"}}`, the id still the system's own. */
const reference: Make = ({ field, refuse }) => {
  const target = field.target ?? "";
  const neutral = (id: Json): Json => {
    if (!isFhirId(id)) throw refuse("holds no usable record id", "correct the reference");
    return { $reference: { type: target, id } };
  };
  const idIn = (value: Json): string => {
    const inner = member(member(value, "$reference"), "id");
    if (!isFhirId(inner)) throw refuse("holds no usable record id", "correct the reference");
    return inner;
  };
  const fromFhir = (value: Json): Json => {
    const parsed = parseReference(member(value, "reference"));
    if (parsed?.type !== target) throw refuse(`is no literal reference to a ${target}`, `refer to ${target}/id`);
    return neutral(parsed.id);
  };
  return {
    types: ["Reference"],
    fromCrm: neutral,
    fromFhir,
    toCrm: idIn,
    toFhir: (value) => ({ reference: `${target}/${idIn(value)}` }),
  };
};

function member(value: Json | undefined, name: string): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, Json>)[name]
    : undefined;
}

export const codecs: ReadonlyMap<string, Make> = new Map(
  Object.entries({
    text,
    email,
    phone,
    lines,
    date,
    "partial-date": partialDate,
    "birth-date": birthDate,
    instant,
    boolean,
    flag,
    code,
    reference,
  }),
);
