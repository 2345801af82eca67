// A typed path compiled to closures that read, write and clear one leaf of a resource. Writing copies what lies on the
// path and shares the rest, so the original stays as it was and everything not named survives in its order.
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { Refuse } from "./normal.ts";
import { compileFilter, type Filter } from "./filter.ts";
import { isMasked, unmasked, withoutMask, withoutMaskAt } from "./masks.ts";
import type { TypedPath, TypedStep } from "./typed-path.ts";

/** What a read may find besides a value. */
export const missing: unique symbol = Symbol("missing");
export const unknown: unique symbol = Symbol("unknown");
export const otherChoice: unique symbol = Symbol("other type of the choice");
export type Found = Json | typeof missing | typeof unknown | typeof otherChoice;

export interface Lens {
  readonly read: (node: JsonObject) => Found;
  /** Throws what `refuse` makes where the value cannot be put without touching something else. */
  readonly write: (node: JsonObject, value: Json) => JsonObject;
  /** Removes the leaf, and what Sluice's own filters made around it. */
  readonly clear: (node: JsonObject) => JsonObject;
  /** Whether the element that holds the leaf exists. */
  readonly holds: (node: JsonObject) => boolean;
}

/** Compiles steps from `position` on; `refuse` names the field in its errors. */
export function compileLens(path: TypedPath, refuse: Refuse, position = 0): Lens {
  const step = path[position];
  if (!step) throw refuse("has an empty path", "write a FHIR path");
  if (position === path.length - 1) {
    if (!step.many || (step.where.length === 0 && step.index === undefined)) return valueLens(step, refuse);
    return itemLens(step, undefined, refuse);
  }
  const rest = compileLens(path, refuse, position + 1);
  return step.many ? itemLens(step, rest, refuse) : objectLens(step, rest, refuse);
}

/** The leaf itself, or a whole list, as a member. */
function valueLens({ name, element }: TypedStep, refuse: Refuse): Lens {
  const { otherChoices } = element;
  const other = (node: JsonObject): boolean => otherChoices.some((choice) => node[choice] !== undefined);
  return {
    read: (node) => {
      const value = node[name];
      if (value === undefined || value === null) {
        if (isMasked(node[`_${name}`])) return unknown;
        return otherChoices.length > 0 && other(node) ? otherChoice : missing;
      }
      return isMasked(value) ? unknown : value;
    },
    write: (node, value) => {
      if (other(node))
        throw refuse("is there in another form, which would be lost", "correct it at the destination by hand");
      return { ...withoutMask(node, name), [name]: value };
    },
    clear: (node) => without(node, name),
    holds: () => true,
  };
}

/** One object that does not repeat on the way to the leaf. */
function objectLens({ name }: TypedStep, rest: Lens, refuse: Refuse): Lens {
  const child = (node: JsonObject): JsonObject | undefined => {
    const value = node[name];
    if (value === undefined || isJsonObject(value)) return value;
    throw refuse(`has ${name} that is no object`, "correct the resource");
  };
  return {
    read: (node) => {
      const inner = child(node);
      if (!inner) return missing;
      const found = rest.read(inner);
      return found === missing && isMasked(inner) ? unknown : found;
    },
    write: (node, value) => ({ ...node, [name]: rest.write(unmasked(child(node)), value) }),
    clear: (node) => {
      const inner = child(node);
      if (!inner) return node;
      const cleared = rest.clear(inner);
      if (cleared === inner) return node;
      return Object.keys(cleared).length === 0 ? without(node, name) : { ...node, [name]: cleared };
    },
    holds: (node) => {
      const inner = child(node);
      return inner !== undefined && rest.holds(inner);
    },
  };
}

/** The item of a list that the filter or the index selects; it is the leaf itself when there is no `rest`. */
function itemLens(step: TypedStep, rest: Lens | undefined, refuse: Refuse): Lens {
  const { name, index } = step;
  const filter = compileFilter(step.where);
  const list = (node: JsonObject): readonly Json[] => {
    const value = node[name];
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw refuse(`has ${name} that is no list`, "correct the resource");
    return value as readonly Json[];
  };
  const find = (items: readonly Json[]): number => {
    if (index !== undefined) return index < items.length ? index : -1;
    return items.findIndex((item) => isJsonObject(item) && filter.matches(item));
  };
  const inside = (item: Json | undefined): JsonObject => {
    if (isJsonObject(item)) return item;
    throw refuse(`has an item of ${name} that is no object`, "correct the resource");
  };
  return {
    read: (node) => {
      const items = list(node);
      const at = find(items);
      if (at < 0) return isMasked(items) || isMasked(node[`_${name}`]) ? unknown : missing;
      const item = items[at] ?? null;
      if (isMasked(item ?? besideAt(node, name, at))) return unknown;
      if (item === null) return missing;
      return rest ? rest.read(inside(item)) : item;
    },
    write: (node, value) => {
      const items = list(node);
      const at = find(items);
      if (index !== undefined && index > items.length) {
        throw refuse(`needs the items before ${name}[${index}]`, "fill them first");
      }
      const written = rest ? rest.write(at < 0 ? filter.made : unmasked(inside(items[at])), value) : value;
      const next = at < 0 ? [...items, written] : items.with(at, written);
      return { ...withoutMaskAt(node, name, at), [name]: next };
    },
    clear: (node) => {
      const items = list(node);
      const at = find(items);
      if (at < 0) return node;
      const cleared = rest ? rest.clear(inside(items[at])) : {};
      if (cleared === items[at]) return node;
      if (mayGo(cleared, filter, items, at)) return dropItem(node, name, items, at, index, refuse);
      return { ...node, [name]: items.with(at, cleared) };
    },
    holds: (node) => {
      const items = list(node);
      const at = find(items);
      return at >= 0 && (!rest || rest.holds(inside(items[at])));
    },
  };
}

/** What FHIR keeps beside an item of a primitive list. */
function besideAt(node: JsonObject, name: string, at: number): Json | undefined {
  const beside = node[`_${name}`];
  return Array.isArray(beside) ? (beside as readonly Json[])[at] : undefined;
}

/** An emptied item goes when nothing but the filter's own values is left, unless a later item would take its place. */
function mayGo(cleared: JsonObject, filter: Filter, items: readonly Json[], at: number): boolean {
  const names = Object.keys(cleared);
  if (names.length === 0) return true;
  const later = items.slice(at + 1).some((item) => isJsonObject(item) && filter.matches(item));
  return !later && filter.isBare(cleared);
}

function dropItem(
  node: JsonObject,
  name: string,
  items: readonly Json[],
  at: number,
  index: number | undefined,
  refuse: Refuse,
): JsonObject {
  if (index !== undefined && at < items.length - 1) {
    throw refuse(
      `cannot be emptied: items after ${name}[${index}] would move up`,
      "correct it at the destination by hand",
    );
  }
  const beside = node[`_${name}`];
  const kept = items.toSpliced(at, 1);
  const besideKept = Array.isArray(beside) ? (beside as readonly Json[]).toSpliced(at, 1) : [];
  if (kept.length === 0) return without(node, name);
  const besides = besideKept.some((one) => one !== null) ? { [`_${name}`]: besideKept } : {};
  return { ...(beside === undefined ? node : without(node, `_${name}`)), [name]: kept, ...besides };
}

/** Without the member and without what FHIR keeps beside it under `_name`. */
function without(node: JsonObject, name: string): JsonObject {
  if (node[name] === undefined && node[`_${name}`] === undefined) return node;
  const { [name]: _value, [`_${name}`]: _beside, ...rest } = node;
  return rest;
}
