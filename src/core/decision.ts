// What a gate answers, and for which purpose. A `permit` carries obligations; a `deny` is a rule's word; `unknown`
// means that no answer could be had, which releases nothing but ends nothing either (ARCHITECTURE, Ledger states).

/** v3-ActReason / PurposeOfUse codes that a channel may be configured for. */
export const purposes = [
  "TREAT",
  "ETREAT",
  "CAREMGT",
  "HPAYMT",
  "HOPERAT",
  "HMARKT",
  "HRESCH",
  "PATRQT",
  "PUBHLTH",
] as const;
export type PurposeOfUse = (typeof purposes)[number];

export interface Reason {
  /** Which gate spoke: `agreement`, `consent`, `minimum-necessary`, … */
  readonly gate: Gate;
  readonly outcome: "permit" | "deny" | "not-applicable" | "unknown";
  /** Stable id of the rule that decided, for example `consent-deny-overrides`. */
  readonly rule: string;
  /** The law or specification that the rule rests on, for example `45 CFR 164.508(a)(3)`. */
  readonly citation: string;
  /** One sentence for an entitled person; no PHI. */
  readonly text: string;
}

export type Gate =
  | "environment"
  | "agreement"
  | "scope"
  | "test-patient"
  | "consent"
  | "modifier"
  | "minimum-necessary"
  | "de-identification";

export interface Decision {
  readonly outcome: "permit" | "deny" | "unknown";
  /** The reason that decided. */
  readonly decidedBy: Reason;
  /** Every gate's word, in the order asked. */
  readonly reasons: readonly Reason[];
  readonly obligations: readonly string[];
  /** Ids and version hashes of the consents looked at, `system/Consent/id@version`. */
  readonly consents: readonly string[];
  /** Ids of the agreements in force that were relied on. */
  readonly agreements: readonly string[];
}
