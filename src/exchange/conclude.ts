// What becomes of a row whose run did not reach its last stage. No and don't know differ: a rule's no ends the row, on
// record; a missing answer makes it wait without an attempt; only failures count towards the cap (ARCHITECTURE, Ledger
// states).
import type { AuditEntry } from "../audit/entry.ts";
import { asSluiceError, SluiceError, type ErrorCode } from "../core/errors.ts";
import { acceptDenied } from "./again.ts";
import { causeOf, problemOf, type CauseId } from "./causes.ts";
import { wasAnswered, wasLetThrough } from "./guards.ts";
import type { Permit } from "./judge.ts";
import { isResolveLane, ownLane } from "./lanes.ts";
import { auditRun, type RunEvent } from "./on-record.ts";
import type { Problem, Row } from "./ports.ts";
import type { Run } from "./run.ts";
import { Stop, type End } from "./stop.ts";
import { versionNow } from "./versions.ts";

/** What the run had found out when it stopped. */
export interface Progress {
  readonly person: string | undefined;
  readonly permit: Permit | undefined;
}

/** `next`: the lane goes on with its head. `stop`: the lane is left alone until its head is due. */
export type Verdict = "next" | "stop";

/** Answers that were missing, not failures: the row waits, no attempt is counted. */
const noAnswer: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "system-unreachable",
  "system-timeout",
  "system-busy",
  "system-throttled",
  "system-paused",
  "system-session-ended",
  "queue-unavailable",
  "system-refused-credential",
  "store-unavailable",
  "store-full",
  "facts-stale",
]);

export async function conclude(run: Run, progress: Progress, thrown: unknown): Promise<Verdict> {
  if (thrown instanceof Stop) return concludeStop(run, progress, thrown.end);
  const error = asSluiceError(thrown);
  if (error.code === "internal")
    run.gateway.log.error({ exchange: run.row.id, error: thrown }, "unexpected error in an exchange");
  if (error.code === "lane-lost") throw error;
  // After the answer, or after an error that nobody foresaw while a write was under way, "not applied" cannot be said.
  if (wasAnswered(run) || (error.code === "internal" && wasLetThrough(run))) {
    const unsettled = new SluiceError("system-answer-unknown", "the write was sent, but not settled", {
      retry: "ambiguous",
    });
    return failed(run, progress, unsettled, (await run.gateway.store.ledger.get(run.row.id)) ?? run.row);
  }
  const row = (await run.gateway.store.ledger.get(run.row.id)) ?? run.row;
  if (error.code === "not-sent") return notSent(run, progress, row);
  if (error.retry === "permanent")
    return toPerson(run, progress, causeOf(error), problem(run, causeOf(error), error), row);
  if (error.retry === "transient" && noAnswer.has(error.code))
    return wait(run, progress, error.code, row, error.detail.retryAfter);
  return failed(run, progress, error, row);
}

async function concludeStop(run: Run, progress: Progress, end: End): Promise<Verdict> {
  switch (end.kind) {
    case "again":
      return "next";
    case "moved":
      await run.gateway.queue.wake(end.lane).catch(() => undefined);
      return "next";
    case "waiting":
      return wait(run, progress, end.cause, run.row, end.afterMs);
    case "quarantine":
      return toPerson(run, progress, end.cause, end.problem, run.row);
    case "denied":
      await deny(run, progress, end);
      return "next";
    case "ended": {
      const entries =
        end.cause === undefined ? [] : [await auditRun(run, "outcome", { person: progress.person, cause: end.cause })];
      await finish(run, end.state, end.cause, entries);
      return "next";
    }
  }
}

/** A later grant looks for denied rows in the person's lane, so that is where this one is kept. */
async function deny(run: Run, progress: Progress, end: Extract<End, { readonly kind: "denied" }>): Promise<void> {
  const { gateway, channel, row } = run;
  const { person } = progress;
  const { rule } = end.decision.decidedBy;
  const entry = await auditRun(run, "denial", { person, decision: end.decision, ...unknownBefore(row) });
  const lane = person !== undefined && channel.kind === "sync" ? { lane: person } : {};
  const ended = { state: "denied", cause: rule, at: gateway.clock.now(), ...lane } as const;
  run.lane.kept(await gateway.store.ledger.finish(row.id, ended, [entry], run.lane.hold));
  if (!end.basis) return;
  const seen = await gateway.hot.catchUp().then(
    () => true,
    () => false,
  );
  const now = versionNow(gateway, { channel, subjects: end.basis.subjects });
  // What it was decided on changed, or may have, while the denial was written: whoever granted has not seen this row denied.
  if (!seen || now !== end.basis.version)
    await acceptDenied(gateway, { lane: person ?? row.lane }, `decided under ${now}`);
}

async function finish(
  run: Run,
  state: Row["state"],
  cause: string | undefined,
  entries: readonly AuditEntry[],
): Promise<void> {
  const end = { state, cause, at: run.gateway.clock.now() };
  run.lane.kept(await run.gateway.store.ledger.finish(run.row.id, end, entries, run.lane.hold));
}

/** An attempt before this one that nothing on record closes. */
function unknownBefore(row: Row): { readonly previous?: "unknown" } {
  return row.state === "sending" ? { previous: "unknown" } : {};
}

/** The request certainly was not made: back to queued, at once, no attempt counted. */
async function notSent(run: Run, progress: Progress, row: Row): Promise<Verdict> {
  // Refused while it read back an earlier attempt: that one's outcome is as unknown as before, and stays so.
  if (row.state !== "sending" || row.attempt < run.n) return "next";
  const entry = await auditRun(run, "outcome", { person: progress.person, outcome: "not-sent", n: row.attempt });
  run.lane.kept(await run.gateway.store.ledger.unsend(row.id, [entry], run.lane.hold));
  return "next";
}

async function wait(
  run: Run,
  progress: Progress,
  cause: string,
  row: Row,
  afterMs: number | undefined,
): Promise<Verdict> {
  const { gateway } = run;
  const { retry } = run.active.configuration;
  const now = gateway.clock.now();
  const waited = row.waitingSince === 0 ? 0 : now - row.waitingSince;
  const after = Math.max(afterMs ?? 0, Math.min(retry.capMs, afterMs ?? Math.max(retry.baseMs, waited)));
  await notApplied(run, progress, row, cause);
  // An earlier attempt of unknown outcome has waited long enough to be visible: that stays so.
  const stillDue = row.state === "sending" && row.attempt < run.n && row.cause === readBackDue;
  const plan = { next: now + jitter(run, after), cause: stillDue ? readBackDue : cause, failed: false, waiting: true };
  run.lane.kept(await gateway.store.ledger.defer(row.id, plan, [], run.lane.hold));
  await leaveSharedLane(run);
  return "stop";
}

/** This run's own attempt certainly was not applied: the row goes back to queued, and the entry that says so with it. */
async function notApplied(run: Run, progress: Progress, row: Row, cause: string): Promise<void> {
  if (row.state !== "sending" || row.attempt < run.n) return;
  const entry = await auditRun(run, "outcome", { person: progress.person, outcome: "failed", cause, n: row.attempt });
  run.lane.kept(await run.gateway.store.ledger.unsend(row.id, [entry], run.lane.hold));
}

/** A row that waits must not hold up others that only share a birth date with it. */
async function leaveSharedLane(run: Run): Promise<void> {
  const own = ownLane(run.gateway, run.row.source);
  if (!isResolveLane(run.row.lane) || run.row.lane === own) return;
  run.lane.kept(await run.gateway.store.ledger.move(run.row.id, own, run.lane.hold));
}

async function failed(run: Run, progress: Progress, error: SluiceError, row: Row): Promise<Verdict> {
  const { gateway } = run;
  const { retry, systems } = run.active.configuration;
  const unknown = error.retry === "ambiguous";
  const failures = row.failures + 1;
  if (failures >= retry.maxAttempts) {
    const cause = unknown ? "outcome-unknown" : "retries-exhausted";
    return toPerson(run, progress, cause, problem(run, cause, error), row);
  }
  const began = row.state === "sending" && row.attempt >= run.n;
  const entries = began && unknown ? [await unknownOutcome(run, progress, row, error.code)] : [];
  if (entries.length === 0) await notApplied(run, progress, row, error.code);
  const visible = unknown ? (systems.get(run.channel.to)?.visibleAfterMs ?? 0) + gateway.clockToleranceMs : 0;
  const backoff = Math.min(retry.capMs, retry.baseMs * 2 ** row.failures);
  const next = gateway.clock.now() + Math.max(visible, error.detail.retryAfter ?? 0, jitter(run, backoff));
  const plan = { next, cause: began && unknown ? readBackDue : error.code, failed: true, waiting: false };
  run.lane.kept(await gateway.store.ledger.defer(row.id, plan, entries, run.lane.hold));
  await leaveSharedLane(run);
  return "stop";
}

function unknownOutcome(run: Run, progress: Progress, row: Row, cause: string): Promise<AuditEntry> {
  return auditRun(run, "outcome", { person: progress.person, outcome: "unknown", cause, n: row.attempt });
}

/** A row in `sending` with this cause has waited long enough for its request to be visible, if it was applied. */
export const readBackDue = "read-back-due";

async function toPerson(run: Run, progress: Progress, cause: string, what: Problem, row: Row): Promise<Verdict> {
  const last = outcomeOf(run, row, cause);
  const entry = await auditRun(run, "failure", { person: progress.person, cause: what.group, ...last });
  const attempt = last.outcome === "failed" ? "not-applied" : undefined;
  run.lane.kept(await run.gateway.store.ledger.quarantine(row.id, cause, what, [entry], run.lane.hold, attempt));
  run.gateway.log.warn(
    { exchange: row.id, channel: run.channel.id, group: what.group, owner: what.owner },
    "exchange needs a person",
  );
  return "next";
}

/** What is known of the row's last attempt: only this run's own definite answer says that it failed. */
function outcomeOf(run: Run, row: Row, cause: string): Pick<RunEvent, "outcome" | "n"> {
  if (row.state !== "sending") return {};
  const definite = row.attempt >= run.n && cause !== "outcome-unknown";
  return { outcome: definite ? "failed" : "unknown", n: row.attempt };
}

function problem(run: Run, cause: CauseId, error: SluiceError): Problem {
  const { elements, vendorCode, status } = error.detail;
  const code = vendorCode ?? (status === undefined ? error.code : `HTTP ${status}`);
  const owner = run.active.fhirSystems.has(run.channel.to) ? "EHR analyst" : "CRM administrator";
  const rejected = cause === "destination-rejected";
  return problemOf(cause, {
    channel: run.channel.id,
    ...(elements === undefined ? {} : { elements }),
    ...(cause === "value-refused" || cause === "resource-withheld" ? {} : { vendorCode: code }),
    ...(rejected ? { owner } : {}),
  });
}

/** Spread retries over a quarter of their delay, so that they do not come back in step. */
function jitter(run: Run, ms: number): number {
  const byte = run.gateway.random(1)[0] ?? 0;
  return Math.round(ms * (1 + byte / 1024));
}
