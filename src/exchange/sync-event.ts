// A sync event, from top to bottom: a record changed in one system, and the change reaches the other if every gate is
// open. Read this function and you know the product. `intake.ts` and `poll.ts` bring the rows that it runs.
import type { Written } from "../connector/contract.ts";
import { SluiceError } from "../core/errors.ts";
import { hmacId } from "../core/ids.ts";
import { canonicalJson } from "../core/json.ts";
import { passBrake } from "./brake/pass.ts";
import { checkChannel } from "./check.ts";
import { convertRecord, type Converted } from "./convert.ts";
import { deliver } from "./deliver.ts";
import { findDestination, type Destination } from "./destination.ts";
import { fetchSource } from "./fetch.ts";
import { Judged, type Permit } from "./judge.ts";
import { judgeSubject } from "./judge-subject.ts";
import { Merged, mergeInto, type WritePlan } from "./merge.ts";
import { auditRun } from "./on-record.ts";
import type { Intent } from "./ports.ts";
import { announceLink } from "./own-record.ts";
import { readBack } from "./read-back.ts";
import { Recorded } from "./record.ts";
import { reduceConverted } from "./reduce-converted.ts";
import { resolveSubject, type Subject } from "./resolve.ts";
import { at, point, typeAt, type SyncRun } from "./run.ts";
import { settle, storeLink } from "./settle.ts";
import { ended, waiting } from "./stop.ts";

/** Runs one row to its end. Throws a Stop or a SluiceError for `conclude.ts`. */
export async function runSyncEvent(run: SyncRun, progress: { subject?: Subject; permit?: Permit }): Promise<void> {
  await readBack(run);
  const agreements = await at(run, "check", () => checkChannel(run));
  const subject = await at(run, "resolve", () => resolveSubject(run));
  progress.subject = subject;
  const source = await at(run, "fetch", () => fetchSource(run));
  const judged = await at(run, "judge", () => judgeSubject(run, subject, source, agreements));
  progress.permit = judged.permit;
  await point(run, "judged");
  const converted = await at(run, "convert", () => convertJudged(run, judged));
  const minimal = await at(run, "reduce", () => reduceConverted(run, converted));
  const person = subject.person;
  // The person may have been linked just now, after this visit's lane was chosen. Written from here, outside the person's
  // lane, the new record's own news could overtake its link and be taken for another visit.
  if (person === undefined || subject.waits === true) throw waiting("person-not-linked");
  const { merged, base, destination, braked } = await at(run, "merge", async () => {
    const found = await findDestination(run, person, minimal);
    const result = await mergeInto(run, minimal, found);
    return { ...result, destination: found, braked: await passBrake(run, result, found) };
  });
  if (!merged) return settleUnchanged(run, person, destination, base);
  const intent = { ...intentOf(run, person, merged, destination, base), ...(braked.length > 0 && { braked }) };
  const recorded = await at(run, "record", async () => {
    await announceLink(run, intent);
    const entry = await disclosureEntry(run, person, merged, intent);
    return Recorded.record(run, merged, intent, [entry]);
  });
  const written = await at(run, "deliver", () =>
    deliver(run, recorded, [judged.permit], (connector, plan) => {
      const request = { type: intent.target.type, linkId: intent.linkId, body: plan.body };
      if (intent.target.id === undefined) return connector.create(request);
      return connector.update({ ...request, id: intent.target.id, version: plan.version, changedAt: plan.changedAt });
    }),
  );
  await at(run, "settle", async () => {
    if (written.existing === true) await adopt(run, intent, written);
    await settle(run, intent, { n: intent.n, id: written.id, version: written.version });
  });
}

/** An earlier attempt had made the record: it is linked with what that attempt wrote as base, and this one runs again. */
async function adopt(run: SyncRun, intent: Intent, written: Written): Promise<never> {
  const target = { system: run.channel.to, type: intent.target.type, id: written.id };
  const base = run.row.intent?.linkId === intent.linkId ? (run.row.intent.link?.base ?? {}) : {};
  if (intent.link)
    await storeLink(run, { ...intent.link, base, id: intent.linkId, records: [run.row.source, target] }, true);
  throw new SluiceError("system-conflict", "the record was there already under this link id");
}

async function convertJudged<T extends Parameters<typeof convertRecord>[1]>(
  run: SyncRun,
  judged: Judged<T>,
): Promise<Judged<Converted>> {
  const converted = await convertRecord(run, Judged.open(judged));
  return Judged.map(judged, () => converted);
}

/** Both sides hold the same: the base is brought up to date; an earlier attempt of unknown outcome was applied. */
async function settleUnchanged(
  run: SyncRun,
  person: string,
  destination: Destination,
  base: Readonly<Record<string, string>>,
): Promise<void> {
  const { record, link, linkId } = destination;
  if (!record) throw ended("unchanged");
  const { intent } = run.row;
  if (run.row.state === "sending" && intent) {
    const planned = intent.link && { ...intent.link, base };
    const known = { n: intent.n, id: record.ref.id, version: record.version };
    await settle(run, { ...intent, link: planned, linkId }, known);
    return;
  }
  const current = link?.base ?? {};
  if (Object.entries(base).some(([field, hash]) => current[field] !== hash)) {
    const kind = run.mapping.declaration.subject === "self" ? "person" : "visit";
    const versions = record.version === undefined ? {} : { [run.channel.to]: record.version };
    await storeLink(
      run,
      { id: linkId, person, kind, records: [run.row.source, record.ref], base, versions },
      link === undefined,
    );
  }
  throw ended("unchanged");
}

function intentOf(
  run: SyncRun,
  person: string,
  merged: Merged<WritePlan>,
  destination: Destination,
  base: Readonly<Record<string, string>>,
): Intent {
  const { row, channel, gateway } = run;
  const plan = Merged.open(merged);
  const target = {
    system: channel.to,
    type: typeAt(run.active, channel.to, run.resource),
    id: destination.record?.ref.id,
  };
  return {
    n: run.n,
    operation: destination.record ? "update" : "create",
    target,
    linkId: destination.linkId,
    expectedVersion: plan.version,
    contentHash: hmacId(gateway.keys.id, "content", canonicalJson(plan.body)),
    at: gateway.clock.now(),
    link: {
      person,
      kind: run.mapping.declaration.subject === "self" ? "person" : "visit",
      records: destination.record ? [row.source, destination.record.ref] : [row.source],
      base,
      versions: {},
    },
  };
}

async function disclosureEntry(
  run: SyncRun,
  person: string,
  merged: Merged<WritePlan>,
  intent: Intent,
): ReturnType<typeof auditRun> {
  const { operation, target, linkId, expectedVersion, contentHash } = intent;
  const { id, ...where } = target;
  return auditRun(run, "disclosure", {
    person,
    permit: merged.permit,
    interaction: operation,
    released: merged.released,
    withheld: merged.withheld,
    ...(run.row.state === "sending" && run.row.attempt > 0 ? { previous: "unknown" as const } : {}),
    detail: {
      target: id === undefined ? where : { ...where, id },
      link: linkId,
      contentHash,
      ...(expectedVersion === undefined ? {} : { expectedVersion }),
    },
  });
}
