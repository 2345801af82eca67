// What a `.where(…)` means for one item of a list: whether it matches, and what an item made for it starts with.
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { Condition } from "./path.ts";

export interface Filter {
  readonly matches: (item: JsonObject) => boolean;
  /** A new item that fulfils the equalities. */
  readonly made: JsonObject;
  /** True when the item holds nothing but what `made` holds. */
  readonly isBare: (item: JsonObject) => boolean;
}

export function compileFilter(where: readonly Condition[]): Filter {
  const tests = where.map(compileCondition);
  const made = where.filter((one) => one.operator === "=").reduce<JsonObject>(withValue, {});
  return { matches: (item) => tests.every((test) => test(item)), made, isBare: (item) => isWithin(item, made) };
}

function compileCondition({ path, operator, value }: Condition): (item: JsonObject) => boolean {
  const holds = (found: Json | undefined): boolean =>
    operator === "=" ? found === value : typeof found === "string" && found.startsWith(String(value));
  const [first = "", ...others] = path;
  if (others.length === 0) return (item) => holds(item[first]);
  return (item) => holds(path.reduce<Json | undefined>((at, name) => (isJsonObject(at) ? at[name] : undefined), item));
}

function withValue(item: JsonObject, { path, value }: Condition): JsonObject {
  const put = (at: Json | undefined, position: number): Json => {
    const name = path[position];
    if (name === undefined) return value;
    const node = isJsonObject(at) ? at : {};
    return { ...node, [name]: put(node[name], position + 1) };
  };
  return put(item, 0) as JsonObject;
}

/** Every member of `part` is in `whole` with the same value. */
function isWithin(part: Json | undefined, whole: Json | undefined): boolean {
  if (!isJsonObject(part) || !isJsonObject(whole)) return part === whole;
  return Object.keys(part).every((name) => isWithin(part[name], whole[name]));
}
