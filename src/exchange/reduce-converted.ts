// The reduce stage of a sync: the channel's allow-list over the FHIR resource in the middle, the same in both directions;
// only the values that are still in it go on. 45 CFR 164.502(b), 164.514(d).
import { isJsonObject, type Json } from "../core/json.ts";
import type { CompiledField } from "../mapping/contract.ts";
import type { Converted } from "./convert.ts";
import type { Judged } from "./judge.ts";
import { Minimal } from "./reduce.ts";
import type { SyncRun } from "./run.ts";

/** Throws `resource-withheld` when the resource as a whole may not go. */
export function reduceConverted(run: SyncRun, judged: Judged<Converted>): Minimal<Converted> {
  const minimizer = run.active.minimum(run.resource.policy);
  return Minimal.reduce(judged, ({ values, resource }) => {
    const { resource: reduced, released, withheld } = minimizer.minimize(resource);
    const left = run.mapping.readFhir(withoutTag(reduced), "middle");
    const kept = new Map<string, Json>();
    for (const field of run.mapping.fields) {
      const value = values.get(field.name);
      // A known-empty value is information of its own ("was cleared") and may go where its element may.
      const may =
        value === null ? allows(run, field) : (left.get(field.name) ?? null) !== null && isIn(reduced, field.element);
      if (value !== undefined && may) kept.set(field.name, value);
    }
    return { data: { values: kept, resource: reduced }, released, withheld };
  });
}

function allows(run: SyncRun, field: CompiledField): boolean {
  const allowed = run.active.minimum(run.resource.policy).policy.allow[run.resource.type] ?? [];
  return allowed.some((path) => field.element === path || field.element.startsWith(`${path}.`));
}

/** Whether anything is left at the path: a codec may read "absent" as a value of its own. */
function isIn(value: Json | undefined, element: string): boolean {
  const [name = "", ...rest] = element.split(".");
  const items = Array.isArray(value) ? (value as readonly Json[]) : [value];
  return items.some((item) => {
    const below = isJsonObject(item) ? item[name] : undefined;
    if (below === undefined || below === null) return false;
    return rest.length === 0 || isIn(below, rest.join("."));
  });
}

/** SUBSETTED says "absent means unknown"; here what is absent was withheld, which is just what is asked. */
function withoutTag(resource: Converted["resource"]): Converted["resource"] {
  const { meta: _meta, ...rest } = resource;
  return rest;
}
