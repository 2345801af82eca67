// Combines the gates' words into one decision: a refusal beats everything, not knowing beats a permit, and without a
// single permit nothing is permitted.
import type { Decision, Reason } from "../core/decision.ts";

/** A gate's word with what it rests on. */
export interface Finding extends Reason {
  readonly consents?: readonly string[];
  readonly agreements?: readonly string[];
  readonly obligations?: readonly string[];
}

/** @param findings In the order in which the gates were asked; the first refusal decides. */
export function decide(findings: readonly Finding[]): Decision {
  const decisive = findings.find((one) => one.outcome === "deny") ?? findings.find((one) => one.outcome === "unknown");
  const decidedBy = reasonOf(decisive ?? permitOf(findings) ?? nobodyPermits);
  return {
    outcome: decidedBy.outcome === "permit" ? "permit" : decidedBy.outcome === "unknown" ? "unknown" : "deny",
    decidedBy,
    reasons: findings.map(reasonOf),
    obligations: distinct(findings.flatMap((one) => one.obligations ?? [])),
    consents: distinct(findings.flatMap((one) => one.consents ?? [])),
    agreements: distinct(findings.flatMap((one) => one.agreements ?? [])),
  };
}

/** Of several permits the consent's says most; else the last. */
function permitOf(findings: readonly Finding[]): Finding | undefined {
  const permits = findings.filter((one) => one.outcome === "permit");
  return permits.find((one) => one.gate === "consent") ?? permits.at(-1);
}

const nobodyPermits: Reason = {
  gate: "scope",
  outcome: "deny",
  rule: "no-permit",
  citation: "45 CFR 164.502(a)",
  text: "no gate permitted this",
};

function reasonOf({ gate, outcome, rule, citation, text }: Finding): Reason {
  return { gate, outcome, rule, citation, text };
}

function distinct(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}
