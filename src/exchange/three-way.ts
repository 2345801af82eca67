// The three-way merge of one pair, field by field, against the link's agreed base: what changed on one side moves, what
// changed on both is a conflict, and what is unknown on either side is left alone (ARCHITECTURE, What always holds 8).
import { canonicalJson, type Json } from "../core/json.ts";
import type { CompiledField, FieldValues } from "../mapping/contract.ts";

export interface ThreeWay {
  /** Fields to write at the destination. */
  readonly changed: FieldValues;
  /** Field → hash of the value that both sides hold once `changed` is written. */
  readonly agreed: Readonly<Record<string, string>>;
  /** Fields that changed on both sides to different values. */
  readonly conflicts: readonly string[];
}

/** What each side is compared with; one and the same but for fields on which both may differ (`apart.ts`). */
export interface Bases {
  readonly source: Readonly<Record<string, string>>;
  readonly destination: Readonly<Record<string, string>>;
}

export type HashValue = (field: string, value: Json) => string;

export function mergeThreeWay(
  fields: readonly CompiledField[],
  source: FieldValues,
  destination: FieldValues,
  base: Bases,
  hash: HashValue,
): ThreeWay {
  const changed = new Map<string, Json>();
  const agreed: Record<string, string> = {};
  const conflicts: string[] = [];
  for (const field of fields) {
    const bases = { source: base.source[field.name], destination: base.destination[field.name] };
    const verdict = judgeField(field, source.get(field.name), destination.get(field.name), bases, hash);
    if (verdict === "conflict") conflicts.push(field.name);
    if (verdict === "write") changed.set(field.name, source.get(field.name) ?? null);
    if (verdict === "write" || verdict === "equal")
      agreed[field.name] = hash(field.name, source.get(field.name) ?? null);
  }
  return { changed, agreed, conflicts };
}

type Verdict = "write" | "equal" | "leave" | "conflict";

function judgeField(
  field: CompiledField,
  source: Json | undefined,
  destination: Json | undefined,
  base: { readonly source: string | undefined; readonly destination: string | undefined },
  hash: HashValue,
): Verdict {
  if (source === undefined || destination === undefined) return "leave";
  if (source === destination || canonicalJson(source) === canonicalJson(destination)) return "equal";
  if (base.source !== undefined && hash(field.name, source) === base.source) return "leave";
  const destinationMoved = base.destination === undefined || hash(field.name, destination) !== base.destination;
  if (source === null) return field.onEmpty === "clear" && !destinationMoved ? "write" : "leave";
  if (destination === null) return "write";
  return destinationMoved ? "conflict" : "write";
}

/** The fields that a create writes: all that are known and not empty. */
export function allOf(source: FieldValues, hash: HashValue): ThreeWay {
  const changed = new Map([...source].filter(([, value]) => value !== null));
  const agreed = Object.fromEntries([...changed].map(([name, value]) => [name, hash(name, value)]));
  return { changed, agreed, conflicts: [] };
}
