// What one consent says about a request, by its dialect. Whatever is unknown is followed both ways: the answer is the set
// of all outcomes that remain possible, and only a set of one is certain.
import type { CompiledConsent, ConsentBody } from "./consent-shape.ts";
import { matchProvision, type ConsentRequest } from "./consent-match.ts";
import type { Provision } from "./consent-provision.ts";
import { within } from "./fhir-time.ts";

/** Bits of a set of possible outcomes; `silent`: the consent says nothing about this request. */
export const outcomes = { permit: 1, deny: 2, silent: 4 } as const;
export type OutcomeSet = number;
const { permit, deny, silent } = outcomes;

type Sense = "permit" | "deny";
const bit = { permit, deny } as const;
const opposite = { permit: "deny", deny: "permit" } as const;

interface Context {
  readonly request: ConsentRequest;
  readonly system: string;
  readonly at: number;
}

/** The possible outcomes of an active consent; one that cannot be computed might permit or deny. */
export function outcomesOf(consent: CompiledConsent, request: ConsentRequest, at: number): OutcomeSet {
  if (!consent.body) return permit | deny;
  const context = { request, system: consent.ref.system, at };
  return bodyOutcomes(consent.body, context);
}

function bodyOutcomes({ dialect, base, root }: ConsentBody, context: Context): OutcomeSet {
  if (!root) return base === undefined ? permit | deny : bit[base];
  // Outside its period an agreement is not in force; an opt-out stays one, the narrower of two readings.
  if (root.period && !within(root.period, context.at)) return base === "deny" ? deny : silent;
  if (dialect === "root-typed") return rootTyped(root, base, context);
  if (base === undefined) return permit | deny;
  return dialect === "single-rule"
    ? ruleOutcomes(root, opposite[base], bit[base], context)
    : literal(root, base, context);
}

/**
 * Published R4: an untyped root with criteria is itself the exception to the base, without any it is a container. A period
 * alone is such a criterion to an opt-in and none to an opt-out: the narrower reading of each.
 */
function literal(root: Provision, base: Sense, context: Context): OutcomeSet {
  const exception = root.criteria || (base === "permit" && root.period !== undefined);
  if (!exception) return childOutcomes(root.children, base, context);
  return ruleOutcomes(root, opposite[base], bit[base], context);
}

/**
 * IHE PCF, FAST: a typed root narrows ("nothing but this"), so what a permit does not name is refused. A permit nested under
 * a permit widens it, for the attributes that it states itself; all others it takes from the root.
 */
function rootTyped(root: Provision, base: Sense | undefined, context: Context): OutcomeSet {
  if (root.type === "deny") return ruleOutcomes(root, "deny", base === "deny" ? deny : silent, context);
  const match = matchProvision(root, "permit", context.system, context.request);
  const typed = root.children.map((child) => ({ ...child, type: child.type ?? "deny" }));
  const named = match === "no" ? 0 : childOutcomes(typed, "permit", context);
  if (match === "yes") return named;
  const widening = typed.map((child) => (child.type === "permit" ? widen(root, child) : child));
  return named | childOutcomes(widening, "deny", context);
}

function widen(root: Provision, child: Provision): Provision {
  return {
    ...child,
    actors: child.actors ?? root.actors,
    actions: child.actions ?? root.actions,
    purposes: child.purposes ?? root.purposes,
    classes: child.classes ?? root.classes,
    data: child.data ?? root.data,
    opaque: child.opaque || root.opaque,
  };
}

/** @param otherwise What holds when the rule does not match. */
function ruleOutcomes(rule: Provision, sense: Sense, otherwise: OutcomeSet, context: Context): OutcomeSet {
  const match = matchProvision(rule, sense, context.system, context.request);
  if (match === "yes") return childOutcomes(rule.children, sense, context);
  const outside = otherwise | strayDenial(rule, sense, context);
  return match === "no" ? outside : outside | childOutcomes(rule.children, sense, context);
}

/** Nested exceptions: a matching one overrides its parent, and among siblings a refusal wins. */
function childOutcomes(children: readonly Provision[], parent: Sense, context: Context): OutcomeSet {
  let all: OutcomeSet = silent;
  for (const child of children) all = together(all, nestedOutcomes(child, parent, context));
  return all & silent ? (all & ~silent) | bit[parent] : all;
}

/** A nested rule without a type alternates with its parent (R5 and the later HL7 text). */
function nestedOutcomes(rule: Provision, parent: Sense, context: Context): OutcomeSet {
  if (rule.period && !within(rule.period, context.at)) return silent;
  return ruleOutcomes(rule, rule.type ?? opposite[parent], silent, context);
}

/** A refusal nested under a refusal that does not match may have been meant on its own: it must not vanish. */
function strayDenial(rule: Provision, sense: Sense, context: Context): OutcomeSet {
  if (sense !== "deny") return 0;
  const same = rule.children.filter((child) => child.type === "deny");
  return same.some((child) => nestedOutcomes(child, "deny", context) & deny) ? deny : 0;
}

function together(a: OutcomeSet, b: OutcomeSet): OutcomeSet {
  const denied = (a | b) & deny;
  const permitted = (a & permit && b & (permit | silent)) || (b & permit && a & (permit | silent)) ? permit : 0;
  return denied | permitted | (a & b & silent);
}
