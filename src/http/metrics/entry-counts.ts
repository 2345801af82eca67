// What the audit log was told, as counts: decisions and outcomes by channel. Only the header's codes are read, never the
// sealed part.
import type { AuditEntry } from "../../audit/entry.ts";
import { headerOf } from "../../audit/write.ts";
import type { JsonObject } from "../../core/json.ts";
import { word, type Meters } from "./meters.ts";

export function countEntry(meters: Meters, entry: AuditEntry): void {
  const header = readable(entry);
  const kind = textOf(header, "kind");
  meters.auditEntries.inc({ kind: word(kind) });
  const named = textOf(header, "channel");
  if (named === undefined) return;
  const channel = word(named);
  if (kind === "disclosure") meters.decisions.inc({ channel, decision: "permit" });
  if (kind === "denial") meters.decisions.inc({ channel, decision: "deny" });
  const outcome = textOf(header, "outcome");
  if (outcome !== undefined) meters.deliveries.inc({ channel, outcome: word(outcome) });
}

/** A header that cannot be read is counted as of no kind: the entry is durable, and its writer must not hear otherwise. */
function readable(entry: AuditEntry): JsonObject {
  try {
    return headerOf(entry);
  } catch {
    return {};
  }
}

function textOf(header: JsonObject, name: string): string | undefined {
  const value = header[name];
  return typeof value === "string" ? value : undefined;
}
