// CPU time of what the pipeline computes for one exchange between its requests: the channel's check, judge, convert, reduce
// and the merge's plan, by the very stage functions, over a store that answers at once; against parsing and writing as JSON
// the same two records.
import { systemClock } from "../src/core/clock.ts";
import type { Keys } from "../src/core/configuration.ts";
import { newId, systemRandom } from "../src/core/ids.ts";
import type { JsonObject } from "../src/core/json.ts";
import { Phi } from "../src/core/phi.ts";
import type { RecordRef, SourceRecord } from "../src/core/records.ts";
import { openConfiguration } from "../src/cli/open.ts";
import { checkChannel } from "../src/exchange/check.ts";
import { ConsentBook } from "../src/exchange/consent-book.ts";
import { convertRecord } from "../src/exchange/convert.ts";
import type { Gateway } from "../src/exchange/gateway.ts";
import { judgeSubject } from "../src/exchange/judge-subject.ts";
import { Judged } from "../src/exchange/judge.ts";
import { dryLane } from "../src/exchange/lane.ts";
import { hashValue, Merged, mergeInto } from "../src/exchange/merge.ts";
import type { Link, Row, Store } from "../src/exchange/ports.ts";
import { reduceConverted } from "../src/exchange/reduce-converted.ts";
import { startRun, syncRun, type SyncRun } from "../src/exchange/run.ts";
import { compile } from "../src/main.ts";
import { generatePractice, type Practice } from "../src/practice/practice.ts";
import { alternate, type Measured } from "./measure.ts";

export const conversionNames = {
  stages: "check + judge + convert + reduce + merge plan",
  json: "JSON.parse + JSON.stringify of both records",
} as const;

export interface ConversionReport {
  readonly measured: Measured;
  readonly pairs: number;
  /** Characters of both records of a pair, mean. */
  readonly size: number;
  /** Elements that a plan changes, mean: shows that the merge had something to do. */
  readonly changed: number;
}

/** Only of production systems are test patients asked for. */
const production = { environment: "production" } as const;

interface Pair {
  readonly run: SyncRun;
  readonly source: SourceRecord;
  readonly destination: SourceRecord;
  readonly link: Link;
  readonly texts: readonly [string, string];
}

export async function measureConversion(options: {
  readonly rounds: number;
  readonly loops: number;
}): Promise<ConversionReport> {
  const pairs = await makePairs();
  const changed = { elements: 0 };
  for (const pair of pairs) changed.elements += await stages(pair);
  const each = 1 / (options.loops * pairs.length);
  const measured = await alternate(
    [
      {
        name: conversionNames.stages,
        round: () =>
          cpuMicroseconds(each, async () => {
            for (let loop = 0; loop < options.loops; loop += 1) for (const pair of pairs) await stages(pair);
          }),
      },
      {
        name: conversionNames.json,
        round: () =>
          cpuMicroseconds(each, async () => {
            for (let loop = 0; loop < options.loops; loop += 1) for (const pair of pairs) json(pair);
          }),
      },
    ],
    { rounds: options.rounds, warmUp: 3 },
  );
  const size = pairs.reduce((sum, { texts }) => sum + texts[0].length + texts[1].length, 0) / pairs.length;
  return { measured, pairs: pairs.length, size, changed: changed.elements / pairs.length };
}

async function cpuMicroseconds(each: number, work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * each;
}

async function stages({ run, source, destination, link }: Pair): Promise<number> {
  const agreements = checkChannel(run);
  const subject = { person: link.person, records: link.records, personRecord: source.ref };
  const judged = await judgeSubject(run, subject, source, agreements);
  const converted = await convertRecord(run, Judged.open(judged));
  const minimal = reduceConverted(
    run,
    Judged.map(judged, () => converted),
  );
  const { merged } = await mergeInto(run, minimal, { link, linkId: link.id, record: destination });
  if (!merged) throw new Error("the merge found nothing to write");
  Merged.open(merged);
  return merged.released.length;
}

let sink = 0;
function json({ texts }: Pair): void {
  for (const text of texts) sink = (sink + JSON.stringify(JSON.parse(text)).length) % 1024;
}

/** Linked pairs of the practice, equal on both sides but for a number that the CRM has just changed. */
async function makePairs(): Promise<readonly Pair[]> {
  const keys: Keys = { data: systemRandom(32), id: systemRandom(32), signing: [] };
  const practice = generatePractice({ seed: 20_261_125, patients: 60, at: systemClock.now() });
  const opened = await openConfiguration("config", {
    secrets: "lenient",
    overrides: { systems: { crm: production, ehr: production, marketing: production } },
  });
  const { timeZone } = opened.configuration;
  const gateway = {
    store: instantStore(),
    clock: systemClock,
    random: systemRandom,
    keys,
    active: compile(opened.configuration, opened.connectors),
    consents: new ConsentBook(
      { putConsent: () => Promise.resolve(true) } as unknown as Store["facts"],
      keys,
      systemRandom,
      timeZone,
    ),
  } as unknown as Gateway;
  const known = practice.expectations.filter((one) => one.place === "both" && one.trait === "plain");
  const pairs: Pair[] = [];
  for (const { contactId, patientId } of known) {
    const pair = await makePair(gateway, practice, contactId ?? "", patientId ?? "");
    if (pair) pairs.push(pair);
  }
  return pairs;
}

async function makePair(
  gateway: Gateway,
  practice: Practice,
  contactId: string,
  patientId: string,
): Promise<Pair | undefined> {
  const contact = practice.contacts.find((one) => one["Id"] === contactId);
  const patient = practice.patients.find((one) => one["id"] === patientId);
  if (!contact || !patient) return undefined;
  const sourceRef = { system: "crm", type: "Contact", id: contactId };
  const there = { system: "ehr", type: "Patient", id: patientId };
  await putConsents(gateway, practice, there);
  const run = runOf(gateway, sourceRef);
  const { mapping } = run;
  const held = mapping.writeCrm(mapping.readFhir(patient, "middle"));
  const known = Object.fromEntries(mapping.crmFields.map((name) => [name, contact[name] ?? null]));
  const record = { Id: contactId, SystemModstamp: "2026-11-25T10:00:00.000+0000", ...known, ...held };
  const hash = hashValue(run);
  const base = Object.fromEntries(
    [...mapping.readFhir(patient, "destination")].map(([field, value]) => [field, hash(field, value)]),
  );
  const edited = { ...record, MobilePhone: "(555) 555-0142" };
  return {
    run,
    source: { ref: sourceRef, version: undefined, changedAt: record.SystemModstamp, body: new Phi<JsonObject>(edited) },
    destination: { ref: there, version: "3", changedAt: undefined, body: new Phi<JsonObject>(patient) },
    link: {
      id: newId(systemRandom),
      person: newId(systemRandom),
      kind: "person",
      records: [sourceRef, there],
      base,
      versions: {},
      fence: 1,
      seq: 1,
    },
    texts: [JSON.stringify(edited), JSON.stringify(patient)],
  };
}

async function putConsents(gateway: Gateway, practice: Practice, subject: RecordRef): Promise<void> {
  for (const consent of practice.consents) {
    const patient = consent["patient"] as JsonObject | undefined;
    if (patient?.["reference"] !== `Patient/${subject.id}`) continue;
    await gateway.consents.put({
      system: "ehr",
      id: consent["id"] as string,
      version: "1",
      subject,
      resource: consent,
    });
  }
}

function runOf(gateway: Gateway, source: RecordRef): SyncRun {
  const row = {
    id: newId(systemRandom),
    lane: "bench",
    channel: "crm-to-ehr",
    source,
    attempt: 0,
    state: "queued",
  } as unknown as Row;
  return syncRun(startRun(gateway, row, dryLane(gateway.store.ledger, gateway.clock)));
}

/** Consents were read just now; a mapping of persons asks for nothing else. */
function instantStore(): Store {
  return {
    ledger: {},
    links: { pairOf: () => Promise.resolve(undefined), get: () => Promise.resolve(undefined) },
    cursors: { get: () => Promise.resolve({ value: "", goodAt: systemClock.now() }) },
  } as unknown as Store;
}
