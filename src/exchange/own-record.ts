// News of a record that Sluice itself created, before the link of its creation is stored: the record carries the link id, and
// the link was announced in the store before the request was made. So it is known whose it is, and no second one is made.
import type { Intent, Link } from "./ports.ts";
import { contentOf, fetchSource } from "./fetch.ts";
import type { SyncRun } from "./run.ts";
import { storeLink } from "./settle.ts";

/** Before a create is sent: the link as it will be, its source side only. Its base is what the create writes. */
export async function announceLink(run: SyncRun, intent: Intent): Promise<void> {
  if (intent.operation !== "create" || !intent.link) return;
  await storeLink(run, { ...intent.link, id: intent.linkId }, false);
}

/** The announced link that this row's record carries, if it was created through this pair of systems. */
export async function announcedLink(run: SyncRun): Promise<Link | undefined> {
  const { links } = run.gateway.store;
  const { source } = run.row;
  if (await links.pairOf(source, run.channel.to)) return undefined;
  const id = run.gateway.system(source.system).linkIdOf(source.type, contentOf(await fetchSource(run)));
  const link = id === undefined ? undefined : await links.get(id);
  const open = link?.records.some((record) => record.system === run.channel.to) === true;
  return open && !link.records.some((record) => record.system === source.system) ? link : undefined;
}

/** In the person's lane: the record is the other side of the announced link. */
export async function adoptOwn(run: SyncRun): Promise<void> {
  const link = await announcedLink(run);
  if (link) await storeLink(run, { ...link, records: [...link.records, run.row.source] }, true);
}
