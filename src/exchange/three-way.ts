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

export type HashValue = (field: string, value: Json) => string;

export function mergeThreeWay(
  fields: readonly CompiledField[],
  source: FieldValues,
  destination: FieldValues,
  base: Readonly<Record<string, string>>,
  hash: HashValue,
): ThreeWay {
  const changed = new Map<string, Json>();
  const agreed: Record<string, string> = {};
  const conflicts: string[] = [];
  for (const field of fields) {
    const verdict = judgeField(field, source.get(field.name), destination.get(field.name), base[field.name], hash);
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
  base: string | undefined,
  hash: HashValue,
): Verdict {
  if (source === undefined || destination === undefined) return "leave";
  if (source === destination || canonicalJson(source) === canonicalJson(destination)) return "equal";
  const destinationMoved = base === undefined || hash(field.name, destination) !== base;
  if (source === null) return field.onEmpty === "clear" && base !== undefined && !destinationMoved ? "write" : "leave";
  if (destination === null) return base !== undefined && hash(field.name, source) === base ? "leave" : "write";
  if (base !== undefined && hash(field.name, source) === base) return "leave";
  return destinationMoved ? "conflict" : "write";
}

/** The fields that a create writes: all that are known and not empty. */
export function allOf(source: FieldValues, hash: HashValue): ThreeWay {
  const changed = new Map([...source].filter(([, value]) => value !== null));
  const agreed = Object.fromEntries([...changed].map(([name, value]) => [name, hash(name, value)]));
  return { changed, agreed, conflicts: [] };
}
