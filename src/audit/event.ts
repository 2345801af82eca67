// What Sluice puts on record: who, whose data, from where to where, for what purpose, decided by which rule, and the
// names (never values) of the elements that went and that were withheld. 45 CFR 164.312(b), 164.528; ARCHITECTURE, What
// always holds 3.
import type { PurposeOfUse, Reason } from "../core/decision.ts";
import type { RecordRef } from "../core/records.ts";

/**
 * - `disclosure` is durable before anything leaves; `query` likewise, before demographics are sent in a search;
 * - `outcome` says what became of a disclosure;
 * - `denial` is a rule's no; `failure` a run that ended without an answer or needs a person;
 * - `access` a person's look at data through Sluice; `administration` a change of configuration or state.
 */
export type AuditKind = "disclosure" | "query" | "outcome" | "denial" | "failure" | "access" | "administration";

/** The part that stays readable: ids of Sluice's own, codes, versions, element names. No PHI. */
export interface AuditHeader {
  readonly v: 1;
  readonly kind: AuditKind;
  /** FHIR instant, this process's clock. */
  readonly at: string;
  /** Ledger row id; attempt number within it. */
  readonly exchange?: string;
  readonly attempt?: number;
  readonly channel?: string;
  readonly from?: string;
  readonly to?: string;
  readonly purpose?: PurposeOfUse;
  readonly interaction?: "create" | "update" | "deliver" | "search" | "read";
  readonly resourceType?: string;
  /** Pseudonym of the person: HMAC under the deployment's id key. */
  readonly person?: string;
  readonly decision?: "permit" | "deny" | "unknown";
  readonly rule?: string;
  readonly citation?: string;
  readonly reasons?: readonly Pick<Reason, "gate" | "outcome" | "rule" | "citation">[];
  readonly agreements?: readonly string[];
  /** Hash over the versions of every consent looked at; the consents themselves are in the sealed part. */
  readonly consentVersion?: string;
  /** Configuration hash at queueing and at running: policies and mappings are part of it. */
  readonly queuedUnder?: string;
  readonly configuration?: string;
  readonly mapping?: string;
  readonly policy?: string;
  readonly released?: readonly string[];
  readonly withheld?: readonly string[];
  readonly outcome?: "applied" | "not-sent" | "unknown" | "failed";
  /** What became of the attempt before this one, when nothing on record says it. */
  readonly previous?: "not-sent" | "unknown";
  readonly cause?: string;
  /** Who acted: `sluice` or the operator's name given with a reason. */
  readonly actor: string;
  readonly reason?: string;
}

/** The sealed part: what points at the patient. */
export interface AuditDetail {
  readonly source?: RecordRef;
  readonly target?: { readonly system: string; readonly type: string; readonly id?: string };
  readonly link?: string;
  /** `system/Consent/id@version`. */
  readonly consents?: readonly string[];
  readonly expectedVersion?: string;
  readonly contentHash?: string;
  readonly version?: string;
}
