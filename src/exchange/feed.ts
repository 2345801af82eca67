// A feed, from top to bottom: changed records leave as one signed batch of de-identified lines. One exchange a batch, one
// audit entry a subject. A batch whose outcome is unknown is sent again byte for byte under the same id, and only while
// every subject in it is still permitted; one that certainly was not applied is formed anew.
import type { AuditEntry } from "../audit/entry.ts";
import { asSluiceError } from "../core/errors.ts";
import { newId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import { openStates, refKey, type RecordRef, type SourceRecord } from "../core/records.ts";
import { quarantine } from "./causes.ts";
import { checkChannel } from "./check.ts";
import { conclude, type Verdict } from "./conclude.ts";
import { deliver } from "./deliver.ts";
import { fetchSource } from "./fetch.ts";
import { markAnswered } from "./guards.ts";
import type { Judged } from "./judge.ts";
import { feedSubject, judgeSubject } from "./judge-subject.ts";
import { auditRun } from "./on-record.ts";
import type { Intent, Row, RowFilter } from "./ports.ts";
import { Recorded } from "./record.ts";
import type { Minimal } from "./reduce.ts";
import { deidentifyJudged } from "./reduce-feed.ts";
import type { Subject } from "./resolve.ts";
import { at, point, startRun, type Run } from "./run.ts";
import { Stop } from "./stop.ts";

interface Batch {
  /** Of the lane's head, whose exchange the batch is. */
  readonly run: Run;
  /** What was sent before, if it may have been applied. */
  readonly earlier: Intent | undefined;
}

/** One member on its way through the stages: `value` is what the last one made of it. */
interface Member<T> {
  readonly run: Run;
  readonly person: string | undefined;
  readonly value: T;
}

interface Fetched {
  readonly source: SourceRecord;
  readonly subject: Subject;
}

type Line = Member<Minimal<JsonObject>>;

/** Runs the batch that begins with the lane's head. Throws a Stop or a SluiceError for `conclude.ts`. */
export async function runFeed(run: Run): Promise<Verdict> {
  if (run.row.applied) {
    await finishBatch(run, run.row);
    return "next";
  }
  const batch = { run, earlier: earlierAttempt(run) };
  const rows = batch.earlier ? await membersOf(run, batch.earlier) : await nextRows(run);
  // The head itself has ended, superseded here or refused below: the rest is run when the lane's new head is taken.
  if (!rows.some((row) => row.id === run.row.id)) return "next";
  const lines = await linesOf(batch, rows);
  if (!lines.some((line) => line.run.row.id === run.row.id)) return "next";
  await send(batch, lines);
  return "next";
}

/** After the answer: every member done, the bytes erased with the head, the head last. May be repeated. */
export async function finishBatch(run: Run, head: Row): Promise<void> {
  const { ledger } = run.gateway.store;
  const { intent, applied } = head;
  if (!intent || !applied) return;
  const end = { state: "done", cause: undefined, at: run.gateway.clock.now() } as const;
  for (const id of intent.members ?? []) {
    // A crash may have come between two members: those that ended before it are passed over, the lane is not lost.
    const row = id === head.id ? undefined : await ledger.get(id);
    if (row && openStates.includes(row.state)) run.lane.kept(await ledger.finish(id, end, [], run.lane.hold));
  }
  const entry = await auditRun(run, "outcome", {
    person: undefined,
    interaction: "deliver",
    outcome: "applied",
    n: applied.n,
    detail: { target: { system: run.channel.to, type: "batch", id: applied.id } },
  });
  run.lane.kept(await ledger.finish(head.id, end, [entry], run.lane.hold));
}

/** Of a row that is being sent, or travels in a batch that nobody said was not applied. */
function earlierAttempt(run: Run): Intent | undefined {
  const { state, batch, intent, id } = run.row;
  if (state !== "sending" && batch === undefined) return undefined;
  // Its batch's head is gone, and with it the bytes.
  if ((batch !== undefined && batch !== id) || intent?.members === undefined)
    throw quarantine("outcome-unknown", { channel: run.channel.id });
  return intent;
}

async function membersOf(run: Run, { members = [] }: Intent): Promise<readonly Row[]> {
  const rows = await Promise.all(members.map((id) => run.gateway.store.ledger.get(id)));
  return rows.filter((row) => row !== undefined);
}

/** One line a record: of several notices of one the newest is taken, and the others end in favour of it. */
async function nextRows(run: Run): Promise<readonly Row[]> {
  const { ledger } = run.gateway.store;
  const now = run.gateway.clock.now();
  const free = { lane: run.row.lane, channel: run.channel.id, states: ["queued"], dueBefore: now } as const;
  const due = await ledger.find({ ...free, limit: run.channel.batchSize + 1 });
  const heads = [run.row, ...due.filter((row) => row.batch === undefined)];
  const records = new Map(heads.map((row) => [refKey(row.source), row.source]));
  const taken = [...records.values()].slice(0, run.channel.batchSize);
  const rows = (await Promise.all(taken.map((source) => newestOf(run, source, free)))).filter(
    (row) => row !== undefined,
  );
  await Promise.all(rows.map((row) => ledger.supersede(row, now, run.lane.hold)));
  return rows;
}

async function newestOf(run: Run, source: RecordRef, free: RowFilter): Promise<Row | undefined> {
  const rows = await run.gateway.store.ledger.find({ ...free, source });
  const [first, ...others] = rows.filter((row) => row.batch === undefined);
  return others.reduce((newest, row) => (newest && newest.seq > row.seq ? newest : row), first);
}

/** The stages up to the last before anything is on record; members that are refused leave a new batch on the way. */
async function linesOf(batch: Batch, rows: readonly Row[]): Promise<readonly Line[]> {
  const { run } = batch;
  const agreements = await at(run, "check", () => checkChannel(run));
  const started = await at(run, "resolve", () =>
    each(batch, rows.map(memberOf(run)), (member) =>
      Promise.resolve({ ...member, run: startRun(run.gateway, member.run.row, run.lane) }),
    ),
  );
  const fetched = await at(run, "fetch", () => each(batch, started, fetchMember));
  const judged = await at(run, "judge", () =>
    each(batch, fetched, async (member): Promise<Member<Judged<SourceRecord>>> => {
      const { subject, source } = member.value;
      return { ...member, value: await judgeSubject(member.run, subject, source, agreements) };
    }),
  );
  await point(run, "judged");
  return at(run, "reduce", () =>
    each(batch, judged, async (member): Promise<Line> => {
      return { ...member, value: await deidentifyJudged(member.run, member.value) };
    }),
  );
}

function memberOf(run: Run): (row: Row) => Member<undefined> {
  return (row) => {
    const resource = { type: row.source.type, policy: "none" };
    return { run: { ...run, row, resource, n: row.attempt + 1 }, person: undefined, value: undefined };
  };
}

async function fetchMember({ run }: Member<undefined>): Promise<Member<Fetched>> {
  const source = await fetchSource(run);
  const subject = await feedSubject(run, source);
  return { run, person: subject.person, value: { source, subject } };
}

/**
 * One step for every member, in order. A member that a rule refuses, or that cannot be de-identified, ends by itself and
 * leaves the batch; one without an answer makes the whole batch wait. When a batch is repeated, every refusal is thrown.
 */
async function each<T, U>(
  { run, earlier }: Batch,
  members: readonly Member<T>[],
  step: (member: Member<T>) => Promise<Member<U>>,
): Promise<readonly Member<U>[]> {
  const results: Member<U>[] = [];
  for (const member of members) {
    await run.lane.need(run.active.configuration.leaseMs / 2);
    try {
      results.push(await step(member));
    } catch (error) {
      if (!endsOnlyItself(error)) throw error;
      if (earlier) throw quarantine("subject-not-permitted-any-more", { channel: run.channel.id });
      await conclude(member.run, { person: member.person, permit: undefined }, error);
    }
  }
  return results;
}

function endsOnlyItself(error: unknown): boolean {
  if (error instanceof Stop)
    return error.end.kind === "denied" || error.end.kind === "ended" || error.end.kind === "quarantine";
  return asSluiceError(error).retry === "permanent";
}

/** On record, sent, settled. */
async function send(batch: Batch, lines: readonly Line[]): Promise<void> {
  const { run } = batch;
  const recorded = await at(run, "record", () => record(batch, lines));
  const { intent } = recorded;
  const permits = lines.map((line) => line.value.permit);
  await at(run, "deliver", () =>
    deliver(run, recorded, permits, async (connector, body) => connector.deliver?.({ id: intent.linkId, body })),
  );
  markAnswered(run);
  await at(run, "settle", async () => {
    const applied = { n: intent.n, id: intent.linkId, version: undefined };
    run.lane.kept(await run.gateway.store.ledger.settle(run.row.id, applied, run.lane.hold));
    await point(run, "applied");
    await finishBatch(run, { ...run.row, intent, applied });
  });
}

function record({ run, earlier }: Batch, lines: readonly Line[]): Promise<Recorded<string>> {
  const { gateway, channel, row } = run;
  const minimal = lines.map((line) => line.value);
  const entriesOf = (intent: Intent): Promise<readonly AuditEntry[]> =>
    Promise.all(lines.map((line) => disclosureEntry(run, line, intent)));
  if (earlier) return Recorded.recordBatchAgain(run, minimal, earlier, entriesOf);
  const plan = {
    n: run.n,
    operation: "deliver",
    target: { system: channel.to, type: "batch", id: undefined },
    linkId: newId(gateway.random),
    expectedVersion: undefined,
    at: gateway.clock.now(),
    link: undefined,
    members: lines.map((line) => line.run.row.id),
    // One place a head: what a new attempt keeps there replaces what an earlier one kept.
    blob: `batch.${row.id}`,
  } as const;
  return Recorded.recordBatch(run, minimal, plan, entriesOf);
}

async function disclosureEntry(run: Run, { run: own, person, value }: Line, intent: Intent): Promise<AuditEntry> {
  return auditRun(own, "disclosure", {
    person,
    permit: value.permit,
    interaction: "deliver",
    released: value.released,
    withheld: value.withheld,
    ...(intent.again ? { previous: "unknown" as const } : {}),
    detail: { target: { system: run.channel.to, type: "batch", id: intent.linkId }, contentHash: intent.contentHash },
  });
}
