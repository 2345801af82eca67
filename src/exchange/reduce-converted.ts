// The reduce stage of a sync: the channel's allow-list over the FHIR resource in the middle, the same in both directions;
// only the values that are still in it go on. 45 CFR 164.502(b), 164.514(d).
import type { Json } from "../core/json.ts";
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
    for (const [name, value] of values) {
      // A known-empty value is information of its own ("was cleared") and may go where its element may.
      const reached = left.get(name) ?? null;
      if (reached !== null || (value === null && allows(run, name))) kept.set(name, value);
    }
    return { data: { values: kept, resource: reduced }, released, withheld };
  });
}

function allows(run: SyncRun, name: string): boolean {
  const field = run.mapping.fields.find((one) => one.name === name);
  const allowed = run.active.minimum(run.resource.policy).policy.allow[run.resource.type] ?? [];
  return field !== undefined && allowed.some((path) => field.element === path || field.element.startsWith(`${path}.`));
}

/** SUBSETTED says "absent means unknown"; here what is absent was withheld, which is just what is asked. */
function withoutTag(resource: Converted["resource"]): Converted["resource"] {
  const { meta: _meta, ...rest } = resource;
  return rest;
}
