// The consent gate for one person: which consents count, what each says, and how they combine: what was replaced goes
// first, then a refusal overrides (fail closed), and only where none speaks does the deployment's implicit policy.
import type { ImplicitPolicy } from "../core/configuration.ts";
import type { Reason } from "../core/decision.ts";
import { refKey, type RecordRef } from "../core/records.ts";
import { resolve, type ConsentRequest } from "./consent-match.ts";
import { outcomes, outcomesOf, type OutcomeSet } from "./consent-rules.ts";
import { compileConsent, type CompiledConsent, type ConsentRecord, type Dialect } from "./consent-shape.ts";
import { isPurpose, purposeCovers } from "./purpose.ts";

export { compileConsent, type CompiledConsent, type ConsentRecord } from "./consent-shape.ts";
export type { ConsentAction, ConsentActor, ConsentRequest } from "./consent-match.ts";

export interface ConsentQuestion extends ConsentRequest {
  /** All consents on file for the person, from every source; compile what is judged often. */
  readonly consents: readonly (ConsentRecord | CompiledConsent)[];
  /** Every record that is this person. */
  readonly patients: readonly RecordRef[];
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** IANA zone for dates without one. */
  readonly timeZone: string;
  /** What holds for this purpose where no consent speaks; absent = deny. */
  readonly implicit?: ImplicitPolicy | undefined;
  readonly requireConsent: boolean;
  /** The recipient gets de-identified data, which is no PHI (45 CFR 164.502(d)(2)). */
  readonly deidentified?: boolean;
}

export interface ConsentFinding extends Reason {
  readonly gate: "consent";
  readonly outcome: "permit" | "deny";
  /** The consents looked at, `system/Consent/id@version`. */
  readonly consents: readonly string[];
  /** How each consent that counts was read and what it said; `uncertain`: it could not be computed. */
  readonly trace: readonly ConsentTrace[];
}

export interface ConsentTrace {
  readonly consent: string;
  readonly dialect: Dialect | undefined;
  readonly said: "permit" | "deny" | "silent" | "uncertain";
  /** Why it could not be computed; no PHI. */
  readonly problem: string | undefined;
}

/** Judges all consents of one person; never throws on what a consent holds. */
export function judgeConsent(question: ConsentQuestion): ConsentFinding {
  const all = question.consents.map((one) => ("kind" in one ? one : compileConsent(one, question.timeZone)));
  const consents = all.map((one) => `${refKey(one.ref)}@${one.version}`);
  const found = isPurpose(question.purpose) ? traces(all, question) : [];
  const verdict = isPurpose(question.purpose) ? combine(found, question) : rules.purposeUnknown;
  return { gate: "consent", ...verdict, consents, trace: found };
}

type Verdict = Pick<ConsentFinding, "outcome" | "rule" | "citation" | "text">;

/** Deny overrides; what cannot be computed denies; a permit needs no other word; silence leaves the implicit policy. */
function combine(found: readonly ConsentTrace[], question: ConsentQuestion): Verdict {
  const said = new Set(found.map((one) => one.said));
  if (said.has("deny")) return rules.denied;
  if (said.has("uncertain")) return rules.notComputable;
  if (said.has("permit")) return rules.permitted;
  if (question.requireConsent) return rules.missing;
  if (question.implicit !== "permit") return rules.implicitDeny;
  const marketing = question.purpose === "HMARKT" && question.deidentified !== true;
  return marketing ? rules.marketing : rules.implicitPermit;
}

function traces(all: readonly CompiledConsent[], question: ConsentQuestion): ConsentTrace[] {
  const relevant = all.filter(
    (one) => one.status !== "inert" && isAbout(one, question) && speaks(one, question.purpose),
  );
  return relevant
    .filter((one) => one.status === "active")
    .flatMap((one) => {
      const replaced = replacement(one, relevant, question.at);
      if (replaced === "active") return [];
      const certain = isAbout(one, question) === "certainly";
      const set = certain ? outcomesOf(one, question, question.at) : outcomes.permit | outcomes.deny;
      return [traceOf(one, set, replaced === "withdrawn", certain)];
    });
}

function traceOf(consent: CompiledConsent, set: OutcomeSet, withdrawn: boolean, certain: boolean): ConsentTrace {
  const said = wordOf(set);
  return {
    consent: `${refKey(consent.ref)}@${consent.version}`,
    dialect: consent.body?.dialect,
    said: withdrawn && said === "permit" ? "silent" : said,
    problem: consent.problem ?? (certain ? undefined : "its patient cannot be told"),
  };
}

/** A consent that may permit but surely not deny is silent; one that may deny is uncertain. */
function wordOf(set: OutcomeSet): ConsentTrace["said"] {
  if (set === outcomes.permit) return "permit";
  if (set === outcomes.deny) return "deny";
  return set & outcomes.deny ? "uncertain" : "silent";
}

/** A consent about somebody else never counts; one that does not say about whom might be about this person. */
function isAbout(consent: CompiledConsent, question: ConsentQuestion): "certainly" | "perhaps" | false {
  const patient = resolve(consent.patient, consent.ref.system, question.baseUrls);
  if (!patient || patient.type !== "Patient") return "perhaps";
  return question.patients.some((one) => refKey(one) === refKey(patient)) ? "certainly" : false;
}

/** Consents to treatment and advance directives are no word on disclosure, one to research only on research. */
function speaks(consent: CompiledConsent, purpose: string): boolean {
  if (consent.scope === "care") return false;
  return consent.scope !== "research" || purposeCovers("HRESCH", purpose);
}

/**
 * Whether a newer statement replaces this one. With the same identifier it is the same consent made anew. One that only
 * names the same policy (often one text for all of a practice's consents), or that is withdrawn, ends the permits of the
 * old but not its refusals. One whose term has not begun does not yet replace anything.
 */
function replacement(
  old: CompiledConsent,
  all: readonly CompiledConsent[],
  at: number,
): "active" | "withdrawn" | undefined {
  const newer = all.filter(
    (one) => one !== old && one.scope === old.scope && isNewer(one, old, at) && sharesKey(one, old),
  );
  if (newer.some((one) => one.status === "active" && sharesKey(one, old, "identifier "))) return "active";
  return newer.length > 0 ? "withdrawn" : undefined;
}

function isNewer(one: CompiledConsent, old: CompiledConsent, at: number): boolean {
  if (!one.made || !old.made || one.made.from > at) return false;
  const begun = one.body?.root?.period === undefined || one.body.root.period.from <= at;
  return one.made.from >= old.made.until && begun;
}

function sharesKey(one: CompiledConsent, old: CompiledConsent, kind = ""): boolean {
  return one.keys.some((key) => key.startsWith(kind) && old.keys.includes(key));
}

const r4 = "HL7 FHIR R4 Consent.provision";
const rules = {
  permitted: {
    outcome: "permit",
    rule: "consent-permit",
    citation: r4,
    text: "an active consent permits this recipient, purpose and resource",
  },
  denied: {
    outcome: "deny",
    rule: "consent-deny-overrides",
    citation: `${r4}; 45 CFR 164.522(a)`,
    text: "an active consent refuses this; a refusal overrides every permit",
  },
  notComputable: {
    outcome: "deny",
    rule: "consent-not-computable",
    citation: "HL7 FHIR R4 Consent.policyRule: if it is not understandable, refer to the privacy office",
    text: "an active consent may refuse this, but not all of it can be computed",
  },
  missing: {
    outcome: "deny",
    rule: "consent-required",
    citation: "45 CFR 164.506(b)",
    text: "this channel requires a consent, and no active one permits this",
  },
  implicitDeny: {
    outcome: "deny",
    rule: "consent-implicit-deny",
    citation: "IHE PCF implicit policies; 45 CFR 164.506(b)",
    text: "no active consent speaks about this, and without one this purpose is not permitted here",
  },
  implicitPermit: {
    outcome: "permit",
    rule: "consent-implicit-permit",
    citation: "IHE PCF implicit policies; 45 CFR 164.506(c)",
    text: "no active consent speaks about this, and this purpose is permitted here without one",
  },
  marketing: {
    outcome: "deny",
    rule: "marketing-needs-authorization",
    citation: "45 CFR 164.508(a)(3)",
    text: "protected health information is never used for marketing without the person's own permission",
  },
  purposeUnknown: {
    outcome: "deny",
    rule: "purpose-unknown",
    citation: "HL7 v3-ActReason PurposeOfUse",
    text: "the purpose of use is not known",
  },
} as const satisfies Record<string, Verdict>;
