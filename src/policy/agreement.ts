// The agreement gate: nothing goes to or comes from a system whose owner is not bound by an agreement that is in force
// today and covers the purpose and the resource type (45 CFR 164.502(e), 164.504(e)).
import type { Agreement } from "../core/configuration.ts";
import type { Reason } from "../core/decision.ts";
import { sha256 } from "../core/ids.ts";
import { canonicalJson } from "../core/json.ts";
import { isCalendarDay, localDay } from "./fhir-time.ts";

/**
 * What the system's owner does with the data: `phi` holds or receives it; `de-identified-recipient` receives Safe Harbor
 * data only; `de-identification-source` has its PHI turned into de-identified data.
 */
export type AgreementUse = "phi" | "de-identified-recipient" | "de-identification-source";

export interface AgreementQuestion {
  readonly agreements: readonly Agreement[];
  readonly system: string;
  readonly purpose: string;
  readonly resourceType: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** IANA zone in which the days of an agreement are counted. */
  readonly timeZone: string;
  /** Default `phi`. */
  readonly use?: AgreementUse;
}

export interface AgreementFinding extends Reason {
  readonly gate: "agreement";
  readonly outcome: "permit" | "deny";
  /** Ids of the agreements relied on; empty on a denial. */
  readonly agreements: readonly string[];
}

export function judgeAgreement(question: AgreementQuestion): AgreementFinding {
  const use = question.use ?? "phi";
  const day = localDay(question.at, question.timeZone);
  const named = question.agreements.filter((one) => one.systems.includes(question.system));
  const fit = named.filter((one) => kinds[use].includes(one.kind));
  const inForce = fit.filter((one) => isInForce(one, day));
  const allowed = use === "de-identification-source" ? inForce.filter((one) => one.deidentificationPermitted) : inForce;
  // Making de-identified data is the covered entity's own operation: the feed's purpose need not be the source's.
  const forPurpose =
    use === "de-identification-source" ? allowed : allowed.filter((one) => coversPurpose(one, question));
  const covering = forPurpose.filter((one) => one.resources.includes(question.resourceType));
  if (covering.length > 0) return { gate: "agreement", ...permitted[use], agreements: covering.map((one) => one.id) };
  return { gate: "agreement", outcome: "deny", ...refusal({ fit, inForce, allowed, forPurpose }), agreements: [] };
}

/** A data use agreement covers a limited data set only, so it does not carry PHI in full (45 CFR 164.514(e)). */
const kinds: Readonly<Record<AgreementUse, readonly Agreement["kind"][]>> = {
  phi: ["baa", "covered-entity"],
  "de-identified-recipient": ["de-identified", "baa", "covered-entity", "dua"],
  "de-identification-source": ["baa", "covered-entity"],
};

const permitted = {
  phi: {
    outcome: "permit",
    rule: "agreement-in-force",
    citation: "45 CFR 164.504(e)",
    text: "an agreement with the system's owner is in force and covers this",
  },
  "de-identified-recipient": {
    outcome: "permit",
    rule: "agreement-de-identified",
    citation: "45 CFR 164.502(d)(2)",
    text: "the recipient of de-identified data has agreed to its terms; no business associate agreement is needed",
  },
  "de-identification-source": {
    outcome: "permit",
    rule: "agreement-permits-de-identification",
    citation: "45 CFR 164.502(d)(1); 164.504(e)",
    text: "the agreement with the source's owner permits de-identification",
  },
} as const satisfies Record<AgreementUse, Pick<AgreementFinding, "outcome" | "rule" | "citation" | "text">>;

function coversPurpose(agreement: Agreement, question: AgreementQuestion): boolean {
  return agreement.purposes.some((purpose) => purpose === question.purpose);
}

type Funnel = Readonly<Record<"fit" | "inForce" | "allowed" | "forPurpose", readonly Agreement[]>>;

/** Names the first condition that no agreement met. */
function refusal(funnel: Funnel): Pick<Reason, "rule" | "citation" | "text"> {
  const missing = "45 CFR 164.502(e); 164.504(e)";
  if (funnel.fit.length === 0)
    return { rule: "agreement-missing", citation: missing, text: "no agreement of a fitting kind names this system" };
  if (funnel.inForce.length === 0)
    return {
      rule: "agreement-not-in-force",
      citation: missing,
      text: "no agreement with this system's owner is in force today",
    };
  if (funnel.allowed.length === 0) {
    const text = "the agreement with the source's owner does not permit de-identification";
    return { rule: "agreement-without-de-identification", citation: "45 CFR 164.502(d)(1); 164.504(e)", text };
  }
  const citation = "45 CFR 164.504(e)(2)(i)";
  if (funnel.forPurpose.length === 0)
    return {
      rule: "agreement-purpose-not-covered",
      citation,
      text: "no agreement in force covers this purpose of use",
    };
  return { rule: "agreement-resource-not-covered", citation, text: "no agreement in force covers this resource type" };
}

/**
 * In force on a day: first and last day included, the day of termination not, both parties' signatures there. A date that
 * cannot be read is no date.
 */
export function isInForce(agreement: Agreement, day: string): boolean {
  const { effective, expires, terminated, signedBy } = agreement;
  const dates = [effective, expires, terminated].filter((date) => date !== undefined);
  if (!dates.every(isCalendarDay)) return false;
  const signers = new Set(signedBy.map((name) => name.trim()).filter((name) => name !== ""));
  const ended = (expires !== undefined && day > expires) || (terminated !== undefined && day >= terminated);
  return signers.size >= 2 && effective <= day && !ended;
}

/**
 * Changes whenever the set of agreements in force for these systems changes, also by the mere passing of a day; to be
 * compared in the instant of sending.
 */
export function agreementsVersion(
  agreements: readonly Agreement[],
  systems: readonly string[],
  at: number,
  timeZone: string,
): string {
  const day = localDay(at, timeZone);
  const inForce = agreements.filter((one) => one.systems.some((id) => systems.includes(id)) && isInForce(one, day));
  return sha256(canonicalJson(inForce.map(canonicalJson).sort()));
}
