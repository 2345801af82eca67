// A feed, from top to bottom: changed records leave as one signed batch of de-identified lines. One exchange a batch, one
// audit entry a subject. A batch whose outcome is unknown is sent again byte for byte under the same id, and only while
// every subject in it is still permitted (SYNC.md section 4).
import type { AuditEntry } from "../audit/entry.ts";
import { hmacId, newId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import { openStates, type SourceRecord } from "../core/records.ts";
import { seal, unseal } from "../core/seal.ts";
import { quarantine } from "./causes.ts";
import { checkChannel } from "./check.ts";
import { conclude, type Verdict } from "./conclude.ts";
import { deliver } from "./deliver.ts";
import { asSluiceError } from "../core/errors.ts";
import { fetchSource } from "./fetch.ts";
import type { Permit } from "./judge.ts";
import { feedSubject, judgeSubject } from "./judge-subject.ts";
import { auditRun } from "./on-record.ts";
import type { Intent, Row } from "./ports.ts";
import { Recorded } from "./record.ts";
import { Minimal } from "./reduce.ts";
import { deidentifyJudged } from "./reduce-feed.ts";
import type { Subject } from "./resolve.ts";
import { at, point, startRun, type Run } from "./run.ts";
import { Stop } from "./stop.ts";

interface Member {
  readonly run: Run;
  readonly source: SourceRecord;
  readonly subject: Subject;
}

/** Runs the batch that begins with the lane's head. Throws a Stop or a SluiceError for `conclude.ts`. */
export async function runFeed(run: Run): Promise<Verdict> {
  const again = run.row.state === "sending" && run.row.intent?.members !== undefined;
  const rows = again ? await membersOf(run, run.row) : await nextRows(run);
  const agreements = await at(run, "check", () => checkChannel(run));
  const runs = await at(run, "resolve", () => rows.map((row) => startRun(run.gateway, row, run.lane)));
  const members = await at(run, "fetch", () => each(run, runs, fetchMember, again));
  const judged = await at(run, "judge", () =>
    each(
      run,
      members,
      async (member) => ({ member, judged: await judgeSubject(member.run, member.subject, member.source, agreements) }),
      again,
    ),
  );
  await point(run, "judged");
  const lines = await at(run, "reduce", () =>
    each(
      run,
      judged,
      async ({ member, judged: one }) => ({ member, minimal: await deidentifyJudged(member.run, one) }),
      again,
    ),
  );
  if (again && lines.length < rows.length)
    throw quarantine("subject-not-permitted-any-more", { channel: run.channel.id });
  if (lines.length === 0) return "next";
  const head = lines.find((line) => line.member.run.row.id === run.row.id);
  // The head itself was refused and has ended: the rest is run when the lane's new head is taken.
  if (!head) return "next";
  const body = again
    ? await bytesOf(run, run.row)
    : lines.map((line) => JSON.stringify(Minimal.open(line.minimal))).join("\n");
  const intent = await planBatch(
    run,
    lines.map((line) => line.member.run.row.id),
    body,
    again ? run.row.intent : undefined,
  );
  const recorded = await at(run, "record", async () => {
    const entries = await Promise.all(
      lines.map(({ member, minimal }) => disclosureEntry(run, member, minimal, intent)),
    );
    return Recorded.recordBatch(
      run,
      lines.map((line) => line.minimal),
      body,
      intent,
      entries,
    );
  });
  const permits: readonly Permit[] = lines.map((line) => line.minimal.permit);
  await at(run, "deliver", () =>
    deliver(run, recorded, permits, async (connector, batch) =>
      connector.deliver?.({ id: intent.linkId, body: batch }),
    ),
  );
  await at(run, "settle", async () => {
    const applied = { n: intent.n, id: intent.linkId, version: undefined };
    run.lane.kept(await run.gateway.store.ledger.settle(run.row.id, applied, run.lane.hold));
    await point(run, "applied");
    await finishBatch(run, { ...run.row, intent, applied });
  });
  return "next";
}

/** After the answer: every member done, the bytes erased, the head last. May be repeated. */
export async function finishBatch(run: Run, head: Row): Promise<void> {
  const { ledger, blobs } = run.gateway.store;
  const { intent, applied } = head;
  if (!intent || !applied) return;
  const end = { state: "done", cause: undefined, at: run.gateway.clock.now() } as const;
  for (const id of intent.members ?? []) {
    // A crash may have come between two members: those that ended before it are passed over, the lane is not lost.
    const row = id === head.id ? undefined : await ledger.get(id);
    if (row && openStates.includes(row.state)) run.lane.kept(await ledger.finish(id, end, [], run.lane.hold));
  }
  if (intent.blob !== undefined) await blobs.erase(intent.blob);
  const entry = await auditRun(run, "outcome", {
    person: undefined,
    interaction: "deliver",
    outcome: "applied",
    n: applied.n,
    detail: { target: { system: run.channel.to, type: "batch", id: applied.id } },
  });
  run.lane.kept(await ledger.finish(head.id, end, [entry], run.lane.hold));
}

async function nextRows(run: Run): Promise<readonly Row[]> {
  const { ledger } = run.gateway.store;
  const filter = { lane: run.row.lane, states: ["queued"] as const, dueBefore: run.gateway.clock.now() };
  const due = await ledger.find({ ...filter, limit: run.channel.batchSize + 1 });
  return newestOfEach([run.row, ...due.filter((row) => row.id !== run.row.id)], run).slice(0, run.channel.batchSize);
}

/** One line a record: of several notices of one record the batch takes the head, else the first; the others end unchanged later. */
function newestOfEach(rows: readonly Row[], run: Run): readonly Row[] {
  const seen = new Set<string>();
  return rows.filter((row) => {
    const key = hmacId(run.gateway.keys.id, row.source.system, row.source.type, row.source.id);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

async function membersOf(run: Run, head: Row): Promise<readonly Row[]> {
  const rows = await Promise.all((head.intent?.members ?? []).map((id) => run.gateway.store.ledger.get(id)));
  return rows.filter((row) => row !== undefined);
}

async function fetchMember(run: Run): Promise<Member> {
  const source = await fetchSource(run);
  return { run, source, subject: await feedSubject(run, source) };
}

/**
 * One step for every member, in order. A member that a rule refuses, or that cannot be de-identified, ends by itself and
 * leaves the batch; one without an answer makes the whole batch wait. When a batch is repeated, every refusal is thrown.
 */
async function each<T extends Run | { readonly run: Run } | { readonly member: Member }, U>(
  run: Run,
  items: readonly T[],
  step: (item: T) => Promise<U>,
  again: boolean,
): Promise<readonly U[]> {
  const results: U[] = [];
  for (const item of items) {
    await run.lane.need(run.active.configuration.leaseMs / 2);
    try {
      results.push(await step(item));
    } catch (error) {
      if (again || !endsOnlyItself(error)) throw again && endsOnlyItself(error) ? notPermitted(run) : error;
      const member = "member" in item ? item.member : "subject" in item ? (item as unknown as Member) : undefined;
      const own = member ? member.run : (item as Run);
      await conclude(own, { person: member?.subject.person, permit: undefined }, error);
    }
  }
  return results;
}

function notPermitted(run: Run): Stop {
  return quarantine("subject-not-permitted-any-more", { channel: run.channel.id });
}

function endsOnlyItself(error: unknown): boolean {
  if (error instanceof Stop)
    return error.end.kind === "denied" || error.end.kind === "ended" || error.end.kind === "quarantine";
  return asSluiceError(error).retry === "permanent";
}

async function planBatch(
  run: Run,
  members: readonly string[],
  body: string,
  earlier: Intent | undefined,
): Promise<Intent> {
  const { gateway } = run;
  const blob = earlier?.blob ?? newId(gateway.random);
  if (!earlier) await gateway.store.blobs.put(blob, seal(gateway.keys.data, body, blob, gateway.random));
  return {
    n: run.n,
    operation: "deliver",
    target: { system: run.channel.to, type: "batch", id: undefined },
    linkId: earlier?.linkId ?? newId(gateway.random),
    expectedVersion: undefined,
    contentHash: hmacId(gateway.keys.id, "content", body),
    at: gateway.clock.now(),
    link: undefined,
    members,
    blob,
  };
}

async function bytesOf(run: Run, row: Row): Promise<string> {
  const blob = row.intent?.blob;
  const sealed = blob === undefined ? undefined : await run.gateway.store.blobs.get(blob);
  if (blob === undefined || sealed === undefined) throw quarantine("outcome-unknown", { channel: run.channel.id });
  return unseal(run.gateway.keys.data, sealed, blob).toString("utf8");
}

async function disclosureEntry(
  run: Run,
  member: Member,
  minimal: Minimal<JsonObject>,
  intent: Intent,
): Promise<AuditEntry> {
  return auditRun(member.run, "disclosure", {
    person: member.subject.person,
    permit: minimal.permit,
    interaction: "deliver",
    released: minimal.released,
    withheld: minimal.withheld,
    n: member.run.row.id === run.row.id ? intent.n : member.run.n,
    detail: { target: { system: run.channel.to, type: "batch", id: intent.linkId }, contentHash: intent.contentHash },
  });
}
