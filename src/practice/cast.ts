// Who appears in the synthetic practice: a fixed cast that repeats, so that every situation is there from 25 persons on,
// whatever the seed. The seed only chooses names, dates and numbers.

export type Place = "crm" | "ehr" | "both";

/** What makes a person's record awkward; the exchange must cope with each. */
export type Trait =
  | "plain"
  | "over-89"
  | "minor"
  | "deceased"
  | "test-patient"
  /** A parent and twins who share surname, address, phone and e-mail. */
  | "family-parent"
  | "family-twin"
  /** A day that has not come yet. */
  | "bad-birth-date"
  /** 1900-01-01, typed by people who do not know. */
  | "placeholder-birth-date"
  | "missing-birth-date"
  /** Only the year is known. */
  | "partial-birth-date"
  | "control-character"
  | "unknown-picklist"
  | "missing-fields"
  /** Same person, but the two systems write phone and e-mail differently. */
  | "formatted-differently"
  | "unknown-modifier";

/** What a patient's consents say; in force for the recipients of the example configuration. */
export type ConsentLabel =
  | "none"
  | "marketing-permit"
  | "marketing-opt-out"
  | "operations-opt-out"
  | "treatment-deny"
  | "everything-opt-out"
  | "expired"
  | "not-yet"
  | "revoked"
  | "proposed"
  | "superseded";

export interface Role {
  readonly place: Place;
  readonly trait: Trait;
}

const cast: readonly [Role, ...Role[]] = [
  { place: "both", trait: "plain" },
  { place: "crm", trait: "plain" },
  { place: "both", trait: "over-89" },
  { place: "ehr", trait: "plain" },
  { place: "crm", trait: "family-parent" },
  { place: "crm", trait: "family-twin" },
  { place: "crm", trait: "family-twin" },
  { place: "both", trait: "plain" },
  { place: "ehr", trait: "deceased" },
  { place: "both", trait: "plain" },
  { place: "crm", trait: "bad-birth-date" },
  { place: "ehr", trait: "missing-birth-date" },
  { place: "both", trait: "test-patient" },
  { place: "crm", trait: "control-character" },
  { place: "ehr", trait: "partial-birth-date" },
  { place: "both", trait: "plain" },
  { place: "crm", trait: "unknown-picklist" },
  { place: "ehr", trait: "plain" },
  { place: "both", trait: "minor" },
  { place: "ehr", trait: "over-89" },
  { place: "crm", trait: "missing-fields" },
  { place: "both", trait: "formatted-differently" },
  { place: "ehr", trait: "unknown-modifier" },
  { place: "crm", trait: "placeholder-birth-date" },
  { place: "both", trait: "plain" },
];

export function roleOf(index: number): Role {
  return cast[index % cast.length] ?? cast[0];
}

const consentCycle: readonly [ConsentLabel, ...ConsentLabel[]] = [
  "marketing-permit",
  "none",
  "marketing-permit",
  "operations-opt-out",
  "marketing-permit",
  "expired",
  "treatment-deny",
  "marketing-permit",
  "revoked",
  "superseded",
  "marketing-permit",
  "marketing-opt-out",
  "everything-opt-out",
  "marketing-permit",
  "proposed",
  "marketing-permit",
  "not-yet",
];

/** @param nth Counts the persons whom the EHR knows. */
export function consentOf(nth: number): ConsentLabel {
  return consentCycle[nth % consentCycle.length] ?? "none";
}

export interface Permissions {
  readonly treatment: "permit" | "deny";
  readonly operations: "permit" | "deny";
  readonly marketing: "permit" | "deny";
}

/**
 * What the consent gate must say of each label, with the example's implicit policies (treatment and operations without
 * consent: permit) and marketing only with a consent.
 */
export const permissions: Readonly<Record<ConsentLabel, Permissions>> = {
  none: { treatment: "permit", operations: "permit", marketing: "deny" },
  "marketing-permit": { treatment: "permit", operations: "permit", marketing: "permit" },
  "marketing-opt-out": { treatment: "permit", operations: "permit", marketing: "deny" },
  "operations-opt-out": { treatment: "permit", operations: "deny", marketing: "deny" },
  "treatment-deny": { treatment: "deny", operations: "permit", marketing: "deny" },
  "everything-opt-out": { treatment: "deny", operations: "deny", marketing: "deny" },
  expired: { treatment: "permit", operations: "permit", marketing: "deny" },
  "not-yet": { treatment: "permit", operations: "permit", marketing: "deny" },
  revoked: { treatment: "permit", operations: "permit", marketing: "deny" },
  proposed: { treatment: "permit", operations: "permit", marketing: "deny" },
  superseded: { treatment: "permit", operations: "permit", marketing: "deny" },
};
