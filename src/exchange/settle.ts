// Stage: writes down what a sent attempt became: the row applied, the link and its base, the outcome, the row done.
// From `applied` on each step may be repeated after a crash; all are idempotent (ARCHITECTURE, Order of writes 8 to
// 11).
import type { AuditEntry } from "../audit/entry.ts";
import { refKey, type RecordRef } from "../core/records.ts";
import { quarantine } from "./causes.ts";
import { markAnswered } from "./guards.ts";
import { visitsLane } from "./lanes.ts";
import { auditRun } from "./on-record.ts";
import type { Intent, Link, Row } from "./ports.ts";
import { point, type Run } from "./run.ts";

export interface Applied {
  readonly n: number;
  readonly id: string;
  readonly version: string | undefined;
}

/** Steps 9 to 12 for an attempt whose answer is known. */
export async function settle(run: Run, intent: Intent, applied: Applied): Promise<void> {
  markAnswered(run);
  run.lane.kept(await run.gateway.store.ledger.settle(run.row.id, applied, run.lane.hold));
  await point(run, "applied");
  await finishApplied(run, { ...run.row, intent, applied });
}

/** Steps 10 to 12; also for a row that a crash left in `applied`. */
export async function finishApplied(run: Run, row: Row): Promise<void> {
  const { intent, applied } = row;
  if (!intent || !applied) return;
  if (intent.link) await putLink(run, intent, intent.link, applied);
  await point(run, "linked");
  const entry = await auditRun(run, "outcome", {
    person: intent.link?.person,
    interaction: intent.operation,
    outcome: "applied",
    n: applied.n,
    detail: {
      target: { ...intent.target, id: applied.id },
      link: intent.linkId,
      ...(applied.version === undefined ? {} : { version: applied.version }),
    },
  });
  await finish(run, row, [entry]);
}

async function finish(run: Run, row: Row, entries: readonly AuditEntry[]): Promise<void> {
  const end = { state: "done", cause: undefined, at: run.gateway.clock.now() } as const;
  run.lane.kept(await run.gateway.store.ledger.finish(row.id, end, entries, run.lane.hold));
}

async function putLink(
  run: Run,
  intent: Intent,
  planned: NonNullable<Intent["link"]>,
  applied: Applied,
): Promise<void> {
  const { to } = run.channel;
  const target = { system: to, type: intent.target.type, id: applied.id };
  const records = [...planned.records.filter((record) => record.system !== to), target];
  const versions = applied.version === undefined ? planned.versions : { ...planned.versions, [to]: applied.version };
  await storeLink(run, { ...planned, id: intent.linkId, records, versions }, intent.operation === "create");
}

/** The link as both sides agree now. A new one claims its records for the person, and lets waiting visits go on. */
export async function storeLink(run: Run, link: Omit<Link, "fence" | "seq">, isNew: boolean): Promise<void> {
  const { links } = run.gateway.store;
  if (isNew) {
    const claimed = await links.claim([...link.records].sort(byKey), link.person);
    if ("conflict" in claimed) throw quarantine("identity-conflict", { channel: run.channel.id });
  }
  await links.put({ ...link, fence: run.lane.hold.fence, seq: run.row.seq }, run.gateway.clock.now());
  if (isNew && link.kind === "person") await wakeVisits(run, link);
}

function byKey(a: RecordRef, b: RecordRef): number {
  return refKey(a) < refKey(b) ? -1 : 1;
}

/** Visits that waited for this person to be at the destination need not wait for their next try. */
async function wakeVisits(run: Run, link: Pick<Link, "records">): Promise<void> {
  const { gateway } = run;
  for (const channel of gateway.active.configuration.channels.values()) {
    for (const record of link.records.filter((one) => one.system === channel.from)) {
      const lane = visitsLane(gateway, channel, record);
      if ((await gateway.store.ledger.hasten(lane, "person-not-linked")) > 0)
        await gateway.queue.wake(lane).catch(() => undefined);
    }
  }
}
