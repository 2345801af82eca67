// How the systems' records are named, and the states of a ledger row.
import type { JsonObject } from "./json.ts";
import type { Phi } from "./phi.ts";

/** One record in one system; `type` is the system's own name for it: `Contact`, `Patient`, … */
export interface RecordRef {
  readonly system: string;
  readonly type: string;
  readonly id: string;
}

export function refKey(ref: RecordRef): string {
  return `${ref.system}/${ref.type}/${ref.id}`;
}

/** A record as a system gave it. */
export interface SourceRecord {
  readonly ref: RecordRef;
  /** The system's own version of the record (`meta.versionId`, an ETag), where it has one. */
  readonly version: string | undefined;
  /** The system's own time of the last change, as the system writes it. */
  readonly changedAt: string | undefined;
  readonly body: Phi<JsonObject>;
}

/** Why a row exists. */
export type NoticeKind = "change" | "delete" | "undelete" | "merge" | "again" | "command";

/** `queued → sending → applied → done`; all others but `quarantined` end a row without sending. */
export type RowState =
  | "queued"
  | "sending"
  | "applied"
  | "done"
  | "unchanged"
  | "superseded"
  | "denied"
  | "cancelled"
  | "not-a-visit"
  | "quarantined";

export const openStates: readonly RowState[] = ["queued", "sending", "applied"];
export const endedStates: readonly RowState[] = [
  "done",
  "unchanged",
  "superseded",
  "denied",
  "cancelled",
  "not-a-visit",
];

/** Who can mend a quarantined exchange. */
export type Owner = "CRM administrator" | "EHR analyst" | "IT" | "privacy officer";
