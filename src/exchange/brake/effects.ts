// What the brake counts: the changes by which one mistake at the source ruins many records at the destination, and that
// nobody there can take back. Which elements count is a table. Creates do not count: they destroy nothing.
import type { BrakeKind } from "../../core/configuration.ts";
import { canonicalJson, type Json } from "../../core/json.ts";
import type { CompiledField, CompiledMapping, FieldValues } from "../../mapping/contract.ts";
import type { HashValue } from "../three-way.ts";

/** One field of the destination that would change so. No values. */
export interface Effect {
  readonly kind: BrakeKind;
  /** Name in values and bases. */
  readonly field: string;
  readonly element: string;
  /** HMAC of what the source holds, and of what the destination holds, under the base's key. */
  readonly source: string;
  readonly destination: string;
}

interface Rule {
  readonly kind: BrakeKind;
  readonly type: string;
  /** The element, or the one above it. */
  readonly element: string;
  /** Counts only when it comes to one of these and was none of them; absent = any change from one value to another. */
  readonly becomes?: readonly Json[];
  readonly why: string;
}

/** An element that a mapping does not move is harmless here; values are FHIR's in both directions. */
export const rules: readonly Rule[] = [
  {
    kind: "deletes",
    type: "Patient",
    element: "active",
    becomes: [false],
    why: "a patient who is not active is deleted for all who work there; no exchange deletes a record otherwise",
  },
  {
    kind: "cancellations",
    type: "Appointment",
    element: "status",
    becomes: ["cancelled", "noshow", "entered-in-error"],
    why: "the slot is given away and the patient is not expected any more",
  },
  { kind: "identity", type: "Patient", element: "name", why: "another name is another person to all who search" },
  { kind: "identity", type: "Patient", element: "birthDate", why: "part of every search and of every match" },
  { kind: "identity", type: "Patient", element: "gender", why: "part of what a person is recognised by" },
  {
    kind: "identity",
    type: "Patient",
    element: "identifier",
    why: "ties the record to charts, claims and laboratories",
  },
  { kind: "identity", type: "Patient", element: "deceased", why: "who is dead is not called, treated or billed" },
  { kind: "identity", type: "Appointment", element: "participant.actor", why: "a visit becomes another patient's" },
];

/** @param changed What would be written; `there` What the destination holds, references as links. */
export function effectsOf(
  mapping: CompiledMapping,
  changed: FieldValues,
  there: FieldValues,
  hash: HashValue,
): readonly Effect[] {
  return mapping.fields.flatMap((field) => {
    const [now, then] = [there.get(field.name), changed.get(field.name)];
    // What is empty there is filled, which takes nothing away.
    if (then === undefined || now === undefined || now === null || same(now, then)) return [];
    const kinds = kindsOf(mapping.declaration.fhir.type, field, now, then);
    const sides = { source: hash(field.name, then), destination: hash(field.name, now) };
    return kinds.map((kind) => ({ kind, field: field.name, element: field.element, ...sides }));
  });
}

function kindsOf(type: string, field: CompiledField, now: Json, then: Json): readonly BrakeKind[] {
  const hit = rules.filter((rule) => rule.type === type && isAt(field.element, rule.element) && turns(rule, now, then));
  return [...(then === null ? (["clears"] as const) : []), ...new Set(hit.map((rule) => rule.kind))];
}

/** `name.family` is at `name`, `deceasedBoolean` at `deceased`, `nameless` at neither. */
function isAt(element: string, rule: string): boolean {
  return element === rule || (element.startsWith(rule) && /^[.A-Z]/.test(element.slice(rule.length)));
}

function turns({ becomes }: Rule, now: Json, then: Json): boolean {
  return becomes === undefined || (becomes.includes(then) && !becomes.includes(now));
}

function same(one: Json, other: Json): boolean {
  return canonicalJson(one) === canonicalJson(other);
}
