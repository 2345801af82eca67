// The minimum-necessary gate: an allow-list applied to a resource (45 CFR 164.502(b), 164.514(d)). What is not on the
// list is not copied; what could change the meaning of the rest is never left out silently.
import type { MinimumPolicy } from "../core/configuration.ts";
import { SluiceError } from "../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { childrenOfType, isResourceType } from "../fhir/elements.ts";
import { nearestName } from "../fhir/nearest.ts";
import { isSubsetted, reduceObject, subsettedMeta, type Account } from "./minimum-walk.ts";
import { compileTree, type KeptObject } from "./minimum-tree.ts";

export interface MinimumOptions {
  /** Mark a reduced resource with the tag SUBSETTED, so that nobody writes it back whole; default true. */
  readonly tag?: boolean;
  /** Keep the logical id; default true. */
  readonly id?: boolean;
}

export interface Minimized {
  readonly resource: JsonObject;
  /** Element paths without type, index or value (`name.given`), sorted. */
  readonly released: readonly string[];
  /** The same for what was left out, at the level at which it was; `(unknown)` for a name that R4 does not know. */
  readonly withheld: readonly string[];
}

export interface Minimizer {
  readonly policy: MinimumPolicy;
  /** True when the policy lists the type at all. */
  allows(resourceType: string): boolean;
  /** Throws `resource-withheld`: type not listed, unknown modifier extension or implicit rules, or malformed. */
  minimize(resource: JsonObject): Minimized;
}

/** Throws `config-invalid`, with a suggestion, on a type or path that R4 does not have. */
export function compileMinimum(policy: MinimumPolicy, options: MinimumOptions = {}): Minimizer {
  const trees = new Map<string, KeptObject>();
  for (const [type, paths] of Object.entries(policy.allow)) {
    if (!isResourceType(type)) throw unknownType(policy.id, type, Object.keys(policy.allow));
    trees.set(type, compileTree(policy.id, type, childrenOfType(type), paths));
  }
  return {
    policy,
    allows: (type) => trees.has(type),
    minimize(resource) {
      const type = resource["resourceType"];
      const tree = typeof type === "string" ? trees.get(type) : undefined;
      if (tree === undefined) {
        throw new SluiceError("resource-withheld", `policy ${policy.id} does not list this resource type`, {
          hint: "add the type to the policy's `allow` if the recipient needs it",
        });
      }
      return minimize(resource, tree, options);
    },
  };
}

function minimize(resource: JsonObject, tree: KeptObject, options: MinimumOptions): Minimized {
  refuseImplicitRules(resource);
  const account: Account = { released: new Set(), withheld: new Set() };
  const { resourceType, id, meta, ...elements } = resource;
  const head: Record<string, Json | undefined> = { resourceType };
  if (typeof id === "string") {
    if (options.id === false) account.withheld.add("id");
    else [head["id"]] = [id, account.released.add("id")];
  }
  const body = reduceObject(elements, tree, "", account);
  if (meta !== undefined && !isOnlySubsetted(meta)) account.withheld.add("meta");
  const reduced = account.withheld.size > 0 || isSubsetted(meta);
  if (reduced && options.tag !== false) head["meta"] = subsettedMeta;
  return {
    resource: { ...head, ...body },
    released: [...account.released].sort(),
    withheld: [...account.withheld].sort(),
  };
}

/** Implicit rules may change what any element means (FHIR R4 resource.html#implicitRules). */
function refuseImplicitRules(resource: JsonObject): void {
  if (resource["implicitRules"] === undefined && resource["_implicitRules"] === undefined) return;
  throw new SluiceError("resource-withheld", "the resource rests on implicit rules that are not known", {
    hint: "ask the source to send the resource without implicitRules",
    elements: ["implicitRules"],
  });
}

function isOnlySubsetted(meta: Json): boolean {
  return (
    isJsonObject(meta) &&
    isSubsetted(meta) &&
    Object.keys(meta).length === 1 &&
    Array.isArray(meta["tag"]) &&
    meta["tag"].length === 1
  );
}

function unknownType(policy: string, type: string, listed: readonly string[]): SluiceError {
  const near = nearestName(type, [
    "Patient",
    "Appointment",
    "Encounter",
    "Practitioner",
    "Organization",
    "Coverage",
    ...listed.filter(isResourceType),
  ]);
  return new SluiceError("config-invalid", `policy ${policy}: ${type} is no R4 resource type`, {
    hint: near === undefined ? "use a FHIR R4 (4.0.1) resource type" : `did you mean \`${near}\`?`,
    elements: [type],
  });
}
