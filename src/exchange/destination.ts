// Finds the record that an exchange writes to: by link; by the link id of an earlier attempt whose answer was lost; for a
// person by a strict search; else there is none, and it is created under a link id of its own.
import { newId } from "../core/ids.ts";
import type { SourceRecord } from "../core/records.ts";
import { quarantine } from "./causes.ts";
import type { Converted } from "./convert.ts";
import { readRecord } from "./fetch.ts";
import { pollLane } from "./lanes.ts";
import { matchPerson } from "./match.ts";
import type { Link } from "./ports.ts";
import { Minimal } from "./reduce.ts";
import { typeAt, type SyncRun } from "./run.ts";
import { waiting } from "./stop.ts";

export interface Destination {
  readonly link: Link | undefined;
  /** Of the link, or of the one to be made. */
  readonly linkId: string;
  /** Undefined: to be created. */
  readonly record: SourceRecord | undefined;
}

/** Throws a Stop when the destination cannot be told for certain. */
export async function findDestination(run: SyncRun, person: string, minimal: Minimal<Converted>): Promise<Destination> {
  const known = await knownDestination(run);
  if (known) return known;
  if (run.mapping.declaration.subject === "self") {
    await feedIsPast(run);
    await matchPerson(run, person, minimal.permit, Minimal.open(minimal).resource);
  }
  return { link: undefined, linkId: run.row.intent?.linkId ?? newId(run.gateway.random), record: undefined };
}

/** By link. Sends nothing but ids. */
export async function knownDestination(run: SyncRun): Promise<Destination | undefined> {
  const link = await run.gateway.store.links.pairOf(run.row.source, run.channel.to);
  const there = link?.records.find((record) => record.system === run.channel.to);
  if (!link || !there) return undefined;
  const record = await readRecord(run, there, run.mapping.crmFields);
  if (!record) throw quarantine("destination-gone", { channel: run.channel.id });
  return { link, linkId: link.id, record };
}

/**
 * Where the destination reports its own changes, those reports are read past this row's acceptance first: a chart made
 * there in the same minute is then known before another is created.
 */
async function feedIsPast(run: SyncRun): Promise<void> {
  const { configuration } = run.active;
  const reports = [...configuration.channels.values()].some(
    (channel) =>
      channel.from === run.channel.to &&
      channel.mode !== "off" &&
      channel.resources.some((one) => one.type === run.resource.type),
  );
  if (!reports) return;
  const name = pollLane(run.channel.to, typeAt(run.active, run.channel.to, run.resource));
  const cursor = await run.gateway.store.cursors.get(name);
  if (!cursor || cursor.goodAt - run.gateway.clockToleranceMs <= run.row.acceptedAt)
    throw waiting("destination-feed-behind", 500);
}
