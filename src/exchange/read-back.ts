// Recovery (ARCHITECTURE, Order of writes): what an earlier attempt of unknown outcome left at the destination is read
// and kept in the link before anything else is decided, so that not even a denial leaves an unknown write behind, and
// no later run takes Sluice's own write for a change that somebody made there.
import type { SourceRecord } from "../core/records.ts";
import { quarantine } from "./causes.ts";
import { readValues } from "./convert.ts";
import { readRecord, readSystem } from "./fetch.ts";
import { hashValue } from "./merge.ts";
import type { Intent, Link } from "./ports.ts";
import { neutralise } from "./references.ts";
import type { SyncRun } from "./run.ts";
import { storeLink } from "./settle.ts";

/** Throws a Stop when two records carry the link id of the attempt. */
export async function readBack(run: SyncRun): Promise<void> {
  const { intent, source } = run.row;
  if (!intent?.link) return;
  const link = await run.gateway.store.links.pairOf(source, run.channel.to);
  if (intent.operation === "create" && !link) await findCreated(run, intent, intent.link);
  else if (link) await keepWritten(run, intent.link.base, link);
}

/** What the attempt wrote is the base: a field that differs from it was changed there since. */
async function findCreated(run: SyncRun, intent: Intent, planned: NonNullable<Intent["link"]>): Promise<void> {
  const found = await readSystem(run, run.channel.to, (connector) =>
    connector.findByLink(intent.target.type, intent.linkId, run.mapping.crmFields),
  );
  if (found.length > 1) throw quarantine("duplicate-created", { channel: run.channel.id });
  const [record] = found;
  if (record) await storeLink(run, { ...planned, id: intent.linkId, records: [run.row.source, record.ref] }, true);
}

/**
 * The fields that hold what the attempt wrote are agreed on. Otherwise, when the source has changed once more before this
 * run, both sides would differ from the base: a conflict that nobody made.
 */
async function keepWritten(run: SyncRun, planned: Readonly<Record<string, string>>, link: Link): Promise<void> {
  const ref = link.records.find((record) => record.system === run.channel.to);
  const record = ref && (await readRecord(run, ref, run.mapping.crmFields));
  if (!record) return;
  const written = await fieldsAsPlanned(run, record, planned, link.base);
  if (Object.keys(written).length > 0) await storeLink(run, { ...link, base: { ...link.base, ...written } }, false);
}

async function fieldsAsPlanned(
  run: SyncRun,
  record: SourceRecord,
  planned: Readonly<Record<string, string>>,
  base: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const there = await neutralise(run, readValues(run, record, "destination"), run.channel.to);
  const hash = hashValue(run);
  const isWritten = ([field, value]: readonly [string, string]): boolean => {
    const now = there.get(field);
    return value !== base[field] && now !== undefined && hash(field, now) === value;
  };
  return Object.fromEntries(Object.entries(planned).filter(isWritten));
}
