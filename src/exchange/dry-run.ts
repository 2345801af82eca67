// A dry run of a sync or a feed: the same gates, conversion, reduction and comparison as the real one, but nothing is
// claimed, queued or written, and every request that could write is refused.
import type { Reason } from "../core/decision.ts";
import { asSluiceError } from "../core/errors.ts";
import { newId } from "../core/ids.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { RecordRef, SourceRecord } from "../core/records.ts";
import type { FieldValues } from "../mapping/contract.ts";
import type { Finding } from "../policy/decision.ts";
import type { Effect } from "./brake/effects.ts";
import { checkChannel } from "./check.ts";
import { convertRecord, readValues, type Converted } from "./convert.ts";
import { knownDestination, type Destination } from "./destination.ts";
import { contentOf, fetchSource } from "./fetch.ts";
import type { Gateway } from "./gateway.ts";
import { Judged } from "./judge.ts";
import { needFreshConsents } from "./freshness.ts";
import { feedSubject, judgeKnown } from "./judge-subject.ts";
import { dryLane } from "./lane.ts";
import { findMatch } from "./match.ts";
import { compare } from "./merge.ts";
import type { Row } from "./ports.ts";
import { deidentifyJudged } from "./reduce-feed.ts";
import { reduceConverted } from "./reduce-converted.ts";
import { Minimal } from "./reduce.ts";
import { localise } from "./references.ts";
import { recordsOfSubject } from "./resolve.ts";
import { startRun, syncRun, type Run, type SyncRun } from "./run.ts";
import { Stop, type End } from "./stop.ts";
import { judgePersons } from "./test-patients.ts";

export interface Difference {
  readonly element: string;
  readonly now: Json | undefined;
  readonly then: Json | undefined;
}

export interface DryRun {
  /** Each gate's word, in the order asked; short after a refusal. */
  readonly gates: readonly Reason[];
  readonly source: JsonObject | undefined;
  /** The exact reduced resource; undefined when nothing would leave. */
  readonly leaves: JsonObject | undefined;
  /** Empty also when the run stopped before anything was reduced: then `leaves` is undefined. */
  readonly withheld: readonly string[];
  /** CRM sources: which FHIR element each mapped field becomes, by field name. */
  readonly becomes: Readonly<Record<string, { readonly element: string; readonly value: Json | undefined }>>;
  readonly destination:
    | {
        readonly found: string;
        readonly differences: readonly Difference[];
        /** What the channel's brake would count. */
        readonly effects: readonly Pick<Effect, "kind" | "element">[];
      }
    | undefined;
  /** Every gate is open and nothing stands in the way: the exchange would be delivered, or needs nothing. */
  readonly passes: boolean;
  /** In plain words what would become of the exchange. */
  readonly end: string;
}

export interface DryRunRequest {
  readonly channel: string;
  readonly source: RecordRef;
  /** Given: nothing is read from the source. Absent: the live record is read. */
  readonly record: SourceRecord | undefined;
  /** Whether the destination may be asked. */
  readonly live: boolean;
}

export async function dryRun(gateway: Gateway, request: DryRunRequest): Promise<DryRun> {
  const seen: { -readonly [K in keyof DryRun]: DryRun[K] } = {
    gates: [],
    source: undefined,
    leaves: undefined,
    withheld: [],
    becomes: {},
    destination: undefined,
    passes: true,
    end: "would be delivered",
  };
  try {
    const run = startRun(gateway, rowOf(gateway, request), dryLane(gateway.store.ledger, gateway.clock), "also-off");
    const agreements = checkChannel(run);
    seen.gates = agreements;
    const source = request.record ?? (await fetchSource(run));
    seen.source = contentOf(source);
    if (run.channel.kind === "feed") {
      if (request.live) await needFreshConsents(gateway, run.channel);
      await feedStages(run, source, agreements, seen);
    } else await syncStages(syncRun(run), request, source, agreements, seen);
  } catch (error) {
    conclude(error, seen);
  }
  return seen;
}

type Seen = { -readonly [K in keyof DryRun]: DryRun[K] };

async function feedStages(run: Run, source: SourceRecord, agreements: readonly Finding[], seen: Seen): Promise<void> {
  const judged = judgeKnown(run, await feedSubject(run, source), source, agreements);
  seen.gates = judged.permit.decision.reasons;
  const minimal = await deidentifyJudged(run, judged);
  seen.leaves = Minimal.open(minimal);
  seen.withheld = minimal.withheld;
  seen.gates = [...seen.gates, deidentified];
}

async function syncStages(
  run: SyncRun,
  request: DryRunRequest,
  source: SourceRecord,
  agreements: readonly Finding[],
  seen: Seen,
): Promise<void> {
  const subject = await recordsOfSubject(run, source);
  const persons = request.live ? await judgePersons(run, subject, source) : [];
  if (request.live) await needFreshConsents(run.gateway, run.channel);
  const judged = judgeKnown(run, subject, source, [...agreements, ...persons]);
  seen.gates = judged.permit.decision.reasons;
  const converted = await convertRecord(run, Judged.open(judged));
  const minimal = reduceConverted(
    run,
    Judged.map(judged, () => converted),
  );
  seen.leaves = Minimal.open(minimal).resource;
  seen.withheld = minimal.withheld;
  const left = Minimal.open(minimal).values;
  seen.becomes = Object.fromEntries(
    run.mapping.fields.map(({ name, element }) => [name, { element, value: left.get(name) }]),
  );
  seen.gates = [...seen.gates, reduced];
  if (!request.live) return;
  const destination = await lookUp(run, minimal);
  seen.destination = await differences(run, Minimal.open(minimal), destination);
  const nothing = destination?.record !== undefined && seen.destination.differences.length === 0;
  seen.end = nothing
    ? "nothing to write: both sides already hold the same"
    : destination?.record
      ? "would be updated"
      : "would be created";
}

async function lookUp(run: SyncRun, minimal: Minimal<Converted>): Promise<Destination | undefined> {
  const known = await knownDestination(run);
  if (known || run.mapping.declaration.subject !== "self") return known;
  const found = await findMatch(run, undefined, minimal.permit, Minimal.open(minimal).resource);
  return found && { link: undefined, linkId: newId(run.gateway.random), record: found };
}

async function differences(
  run: SyncRun,
  converted: Converted,
  destination: Destination | undefined,
): Promise<NonNullable<DryRun["destination"]>> {
  const record = destination?.record;
  const three = await compare(run, converted.values, destination ?? { link: undefined, linkId: "", record: undefined });
  const then = (await localise(run, three.changed, run.channel.to)) ?? three.changed;
  const now: FieldValues = record ? readValues(run, record, "destination") : new Map();
  const written = run.mapping.fields.filter((field) => then.has(field.name));
  const rows = written.map((field) => ({
    element: field.element,
    now: now.get(field.name),
    then: then.get(field.name),
  }));
  if (three.conflicts.length > 0)
    throw new Stop({ kind: "ended", state: "quarantined", cause: `both sides changed ${three.conflicts.join(", ")}` });
  const found = record
    ? `${record.ref.system}/${record.ref.type}/${record.ref.id}${destination.link ? " (linked)" : " (match)"}`
    : "none";
  return { found, differences: rows, effects: three.effects.map(({ kind, element }) => ({ kind, element })) };
}

function rowOf(gateway: Gateway, request: DryRunRequest): Row {
  const now = gateway.clock.now();
  return {
    id: `dry-run.${newId(gateway.random)}`,
    lane: "dry-run",
    channel: request.channel,
    source: request.source,
    kind: "change",
    mark: "dry-run",
    priority: "live",
    acceptedAt: now,
    configuration: gateway.active.configuration.hash,
    seq: 0,
    state: "queued",
    next: 0,
    attempt: 0,
    failures: 0,
    waitingSince: 0,
    intent: undefined,
    applied: undefined,
    cause: undefined,
    problem: undefined,
    endedAt: 0,
    blob: undefined,
  };
}

function conclude(error: unknown, seen: Seen): void {
  seen.passes = false;
  if (error instanceof Stop) {
    if (error.end.kind === "denied") seen.gates = error.end.decision.reasons;
    seen.end = wordsOf(error.end);
    if (error.end.kind === "denied") seen.leaves = undefined;
    return;
  }
  const known = asSluiceError(error);
  if (known.code === "internal") throw error;
  const elements = known.detail.elements?.join(", ");
  seen.end = `would stop: ${known.message}${elements === undefined ? "" : ` (${elements})`} [${known.code}]`;
}

function wordsOf(end: End): string {
  switch (end.kind) {
    case "denied":
      return `would be denied by rule ${end.decision.decidedBy.rule}: ${end.decision.decidedBy.text}`;
    case "waiting":
      return `would wait: ${end.cause}`;
    case "quarantine":
      return `would need a person (${end.problem.owner}): ${end.problem.text}; fix: ${end.problem.fix}`;
    case "ended":
      if (end.cause === "record-gone") return "nothing: the source has no record with this id";
      return `would end as ${end.state}${end.cause === undefined ? "" : `: ${end.cause}`}`;
    case "moved":
    case "again":
      return "would run again";
  }
}

const reduced: Reason = {
  gate: "minimum-necessary",
  outcome: "permit",
  rule: "minimum-necessary-allow-list",
  citation: "45 CFR 164.502(b), 164.514(d)",
  text: "only the elements on the recipient's allow-list leave",
};

const deidentified: Reason = {
  gate: "de-identification",
  outcome: "permit",
  rule: "safe-harbor",
  citation: "45 CFR 164.514(b)(2)",
  text: "only what the Safe Harbor profile names leaves, reduced",
};
