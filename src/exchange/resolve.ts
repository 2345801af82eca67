// Stage: whose record is it? By link or claim; a record seen for the first time is looked at in its own lane, claimed in
// the lane of its birth date (so that two records that could be one person never resolve at once), and then moved to the
// person's lane, where all exchanges of that person run in order.
import { newId } from "../core/ids.ts";
import type { RecordRef, SourceRecord } from "../core/records.ts";
import { patientReferences } from "../fhir/references.ts";
import { quarantine } from "./causes.ts";
import { readValues } from "./convert.ts";
import { demographicRecord, personQuery } from "./demographics.ts";
import { contentOf, fetchSource } from "./fetch.ts";
import { birthDateLane, ownLane, visitsLane } from "./lanes.ts";
import { noticeId } from "./notice.ts";
import { adoptOwn, announcedLink } from "./own-record.ts";
import { referencedRecord } from "./references.ts";
import { isFhir, type SyncRun } from "./run.ts";
import { ended, Stop } from "./stop.ts";

export interface Subject {
  /** Undefined: a visit whose person is not known here yet. */
  readonly person: string | undefined;
  /** Every record whose consents speak for this subject. */
  readonly records: readonly RecordRef[];
  /** The person's record at the source: the record itself, or the one that a visit names. */
  readonly personRecord: RecordRef;
  /** A visit whose person was not at the destination when its lane was chosen: from here it must not be written. */
  readonly waits?: boolean;
}

/** Throws a Stop when the row must go to another lane first. */
export async function resolveSubject(run: SyncRun): Promise<Subject> {
  const isPerson = run.mapping.declaration.subject === "self";
  const personRecord = isPerson ? run.row.source : await visitPerson(run);
  const { links } = run.gateway.store;
  const [known, linked] = await Promise.all([links.personOf(personRecord), links.pairOf(personRecord, run.channel.to)]);
  const person = known ?? (isPerson ? ((await claimOwn(run)) ?? (await introducePerson(run))) : undefined);
  // A person introduced just now may have been linked meanwhile by the other side's exchange.
  const pair = known === undefined ? await links.pairOf(personRecord, run.channel.to) : linked;
  const waits = isPerson ? ownLane(run.gateway, run.row.source) : visitsLane(run.gateway, run.channel, personRecord);
  const lane = person !== undefined && (isPerson || pair) ? person : waits;
  await moveTo(run, lane);
  if (isPerson ? !pair : pair) await adoptOwn(run);
  const link = isPerson && !pair ? await links.pairOf(personRecord, run.channel.to) : pair;
  if (!isPerson && !link) await askForPerson(run, personRecord);
  return { person, records: link ? link.records : [personRecord], personRecord, waits: !isPerson && !link };
}

/** The same without claiming, moving or asking for anything: for dry runs. */
export async function recordsOfSubject(run: SyncRun, record: SourceRecord): Promise<Subject> {
  const isPerson = run.mapping.declaration.subject === "self";
  const personRecord = isPerson ? run.row.source : namedPerson(run, record);
  const link = await run.gateway.store.links.pairOf(personRecord, run.channel.to);
  const person = await run.gateway.store.links.personOf(personRecord);
  return { person, records: link ? link.records : [personRecord], personRecord, waits: !isPerson && !link };
}

/** A record that Sluice created is its person's, whatever has been edited in it since. */
async function claimOwn(run: SyncRun): Promise<string | undefined> {
  const announced = await announcedLink(run);
  if (!announced) return undefined;
  const claimed = await run.gateway.store.links.claim([run.row.source], announced.person);
  if ("conflict" in claimed) throw quarantine("identity-conflict", { channel: run.channel.id });
  return claimed.person;
}

/** Claims the record (and its name and birth date, if they identify anybody) for a person, in the right lane. */
async function introducePerson(run: SyncRun): Promise<string> {
  const { gateway, row } = run;
  const record = await fetchSource(run);
  if (!isFhir(run.active, record.ref.system) && run.mapping.ignores(contentOf(record))) throw ended("not-a-visit");
  const query = personQuery(run.mapping.writeMiddle(readValues(run, record)));
  await moveTo(run, query ? birthDateLane(gateway, query.birthDate) : ownLane(gateway, row.source));
  const records = query ? [row.source, demographicRecord(gateway.keys.id, query)] : [row.source];
  const claimed = await gateway.store.links.claim(records, newId(gateway.random));
  if ("conflict" in claimed) throw quarantine("identity-conflict", { channel: run.channel.id });
  return claimed.person;
}

async function moveTo(run: SyncRun, lane: string): Promise<void> {
  if (lane === run.row.lane) return;
  run.lane.kept(await run.gateway.store.ledger.move(run.row.id, lane, run.lane.hold));
  throw new Stop({ kind: "moved", lane });
}

/** The person record that a visit names. Throws a Stop for a visit that names none, or two. */
async function visitPerson(run: SyncRun): Promise<RecordRef> {
  return namedPerson(run, await fetchSource(run));
}

function namedPerson(run: SyncRun, record: SourceRecord): RecordRef {
  const { channel, mapping, row } = run;
  const content = contentOf(record);
  if (isFhir(run.active, row.source.system)) {
    const { ids } = patientReferences(content);
    if (ids.length === 0) throw quarantine("no-patient", { channel: channel.id });
    if (ids.length > 1) throw quarantine("two-patients", { channel: channel.id });
  } else if (mapping.ignores(content)) {
    throw ended("not-a-visit");
  }
  const field = mapping.fields.find((one) => one.fhir === mapping.declaration.subject);
  const named = field && referencedRecord(run, row.source.system, readValues(run, record).get(field.name));
  if (!named) throw quarantine("no-patient", { channel: channel.id });
  return named;
}

/** A visit brings its person: a notice for the person's record, once a visit. */
async function askForPerson(run: SyncRun, record: RecordRef): Promise<void> {
  const { gateway, channel, row } = run;
  const lane = (await gateway.store.links.personOf(record)) ?? ownLane(gateway, record);
  const mark = `for ${row.id}`;
  await gateway.store.ledger.accept([
    {
      id: noticeId(gateway.keys, { channel: channel.id, source: record, kind: "again", mark }),
      lane,
      channel: channel.id,
      source: record,
      kind: "again",
      mark,
      priority: row.priority,
      acceptedAt: gateway.clock.now(),
      configuration: gateway.active.configuration.hash,
    },
  ]);
}
