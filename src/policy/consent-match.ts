// Whether one provision speaks about a request: yes, no, or unknown where it cannot be told. Attributes are AND-ed,
// values inside one attribute OR-ed (HL7 consent notes).
import type { JsonObject } from "../core/json.ts";
import { refKey, type RecordRef } from "../core/records.ts";
import { parseReference } from "../fhir/references.ts";
import type { ActorRule, Provision } from "./consent-provision.ts";
import { isPurpose, purposeCovers } from "./purpose.ts";

export type Match = "yes" | "no" | "unknown";
export type ConsentAction = "access" | "collect" | "use" | "disclose" | "correct";

/** Everything by which a consent may name the recipient, in each system that holds consents. */
export interface ConsentActor {
  readonly references: readonly RecordRef[];
  readonly identifiers?: readonly { readonly system: string; readonly value: string }[];
}

export interface ConsentRequest {
  readonly actor: ConsentActor;
  /** v3-ActReason code. */
  readonly purpose: string;
  /** The resource that would be released, or only its type. */
  readonly resource: string | JsonObject;
  /** Where that resource was read: needed to match `provision.data`. */
  readonly resourceRef?: RecordRef;
  /** Default `disclose`. */
  readonly action?: ConsentAction;
  /** FHIR base URL of each system, to read absolute references. */
  readonly baseUrls?: ReadonlyMap<string, string>;
  /** Members of a Group or CareTeam; undefined = not known. */
  readonly members?: (group: RecordRef) => readonly RecordRef[] | undefined;
}

/**
 * Disclosing to somebody gives them access, and they collect and use it: a permit for access or disclosure covers either,
 * and a refusal of any of the four stops it.
 */
const coveredBy: Readonly<Record<ConsentAction, Readonly<Record<"permit" | "deny", readonly string[]>>>> = {
  disclose: { permit: ["disclose", "access"], deny: ["disclose", "access", "use", "collect"] },
  access: { permit: ["disclose", "access"], deny: ["disclose", "access", "use", "collect"] },
  use: { permit: ["use"], deny: ["use"] },
  collect: { permit: ["collect"], deny: ["collect"] },
  correct: { permit: ["correct"], deny: ["correct"] },
};

/**
 * Matches all attributes but the period of the root, which is judged with the whole consent.
 * @param sense What the rule does when it matches. @param system The system that the consent is from.
 */
export function matchProvision(
  rule: Provision,
  sense: "permit" | "deny",
  system: string,
  request: ConsentRequest,
): Match {
  const parts = [
    anyOf(rule.purposes, (code) => purposeMatch(code, request.purpose)),
    anyOf(rule.classes, (code) => classMatch(code, request.resource)),
    anyOf(rule.actions, (code) => actionMatch(code, sense, request.action ?? "disclose")),
    anyOf(rule.actors, (actor) => actorMatch(actor, system, request)),
    anyOf(rule.data, (data) => dataMatch(data.reference, data.only, system, request)),
    rule.opaque ? "unknown" : "yes",
  ] as const;
  if (parts.includes("no")) return "no";
  return parts.includes("unknown") ? "unknown" : "yes";
}

function anyOf<T>(values: readonly T[] | undefined, match: (value: T) => Match): Match {
  if (values === undefined) return "yes";
  const matches = values.map(match);
  if (matches.includes("yes")) return "yes";
  return matches.includes("unknown") ? "unknown" : "no";
}

function purposeMatch(code: string | undefined, requested: string): Match {
  if (code === undefined || !isPurpose(code)) return "unknown";
  return purposeCovers(code, requested) ? "yes" : "no";
}

function actionMatch(code: string | undefined, sense: "permit" | "deny", requested: ConsentAction): Match {
  if (code === undefined || !(code in coveredBy)) return "unknown";
  return coveredBy[requested][sense].includes(code) ? "yes" : "no";
}

function classMatch(code: string | undefined, resource: string | JsonObject): Match {
  if (code === undefined) return "unknown";
  return code === (typeof resource === "string" ? resource : resource["resourceType"]) ? "yes" : "no";
}

function dataMatch(reference: string | undefined, only: boolean, system: string, request: ConsentRequest): Match {
  const named = resolve(reference, system, request.baseUrls);
  const own = request.resourceRef;
  const sameSystem = named !== undefined && named.system === own?.system;
  if (sameSystem && refKey(named) === refKey(own)) return "yes";
  return sameSystem && only ? "no" : "unknown";
}

function actorMatch(actor: ActorRule, system: string, request: ConsentRequest): Match {
  const matches = [referenceMatch(actor, system, request), identifierMatch(actor, request.actor)];
  const known = matches.filter((match) => match !== undefined);
  if (!actor.receives || known.length === 0) return "unknown";
  if (known.includes("yes")) return "yes";
  return known.includes("unknown") ? "unknown" : "no";
}

function referenceMatch(actor: ActorRule, system: string, request: ConsentRequest): Match | undefined {
  if (actor.reference === undefined) return undefined;
  const named = resolve(actor.reference, system, request.baseUrls);
  if (!named) return "unknown";
  const own = request.actor.references;
  if (own.some((ref) => refKey(ref) === refKey(named))) return "yes";
  if (named.type === "Group" || named.type === "CareTeam") return memberMatch(named, request);
  // Without any name for the recipient in that system, nobody can say that this is somebody else.
  return own.some((ref) => ref.system === named.system) ? "no" : "unknown";
}

function memberMatch(group: RecordRef, request: ConsentRequest): Match {
  const members = request.members?.(group);
  if (members === undefined) return "unknown";
  const keys = new Set(members.map(refKey));
  return request.actor.references.some((ref) => keys.has(refKey(ref))) ? "yes" : "no";
}

function identifierMatch(actor: ActorRule, recipient: ConsentActor): Match | undefined {
  if (actor.identifier === undefined) return undefined;
  const { system, value } = actor.identifier;
  const own = (recipient.identifiers ?? []).filter((one) => one.system === system);
  if (own.some((one) => one.value === value)) return "yes";
  return own.length > 0 ? "no" : "unknown";
}

/** A literal reference found in a consent of `system`; undefined when it cannot be told whose record it is. */
export function resolve(
  reference: string | undefined,
  system: string,
  baseUrls: ReadonlyMap<string, string> | undefined,
): RecordRef | undefined {
  const parsed = parseReference(reference);
  if (!parsed) return undefined;
  const { type, id, base } = parsed;
  if (base === undefined) return { system, type, id };
  for (const [owner, url] of baseUrls ?? []) if (url.replace(/\/$/, "") === base) return { system: owner, type, id };
  return undefined;
}
