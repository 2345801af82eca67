// Faults planted in a copy of a good run's snapshot, one of each kind that the checks are for: a check that never finds
// anything proves nothing.
import { canariesIn } from "./traces.ts";
import type { Held, Snapshot, Version } from "./snapshot.ts";
import { canarySource } from "../../src/practice/canaries.ts";
import { prng } from "../../src/practice/prng.ts";

export interface Plant {
  plant(good: Snapshot): Snapshot;
  /** What a check must say of it. */
  readonly notice: RegExp;
}

export const plants: Readonly<Record<string, Plant>> = {
  "a person made twice": {
    plant: (good) => ({
      ...good,
      records: [...good.records, { ...pick(good, "ehr", "person"), id: "planted", linkIds: [] }],
    }),
    notice: /^7: person \S+ is in the ehr 2 times/,
  },
  "a visit made twice": {
    plant: (good) => ({
      ...good,
      records: [...good.records, { ...pick(good, "crm", "visit"), id: "planted", linkIds: [] }],
    }),
    notice: /^7: visit \S+ is in the crm 2 times/,
  },
  "a record that is missing": {
    plant: (good) => ({ ...good, records: good.records.filter((one) => one !== pick(good, "crm", "person")) }),
    notice: /^7: person \S+ is in the crm 0 times/,
  },
  "a record of nobody": {
    plant: (good) => change(good, pick(good, "crm", "visit"), (one) => ({ ...one, key: undefined })),
    notice: /is nobody's/,
  },
  "a link id on two records": {
    plant: (good) => {
      const [one, other] = good.records.filter(
        (record) => record.side === "ehr" && record.linkIds.length > 0 && record.kind === "person",
      );
      return other ? change(good, other, (record) => ({ ...record, linkIds: one?.linkIds ?? [] })) : good;
    },
    notice: /carry one link id/,
  },
  "an edit that was lost": {
    plant: (good) =>
      last(good, pick(good, "ehr", "person"), (version) => ({
        ...version,
        values: { ...version.values, mobile: "(000) 000-0000" },
      })),
    notice: /^10: mobile of person \S+ in the ehr is \(000\)/,
  },
  "values out of order": {
    plant: (good) => {
      const one = pick(good, "ehr", "person", (record) => seen(record).length > 1);
      return change(good, one, (record) => ({ ...record, versions: [record.versions.at(-1)!, ...record.versions] }));
    },
    notice: /^10: mobile of person \S+: ehr saw/,
  },
  "an effect repeated": {
    plant: (good) => {
      const one = pick(good, "crm", "person");
      return change(good, one, (record) => ({
        ...record,
        versions: [...record.versions, { ...record.versions.at(-1)!, by: "api", requestId: "planted.1" }],
      }));
    },
    notice: /repeats the one before it/,
  },
  "a request that was sent twice": {
    plant: (good) => ({ ...good, writes: [...good.writes, good.writes[0]!] }),
    notice: /was sent twice/,
  },
  "a request that took effect twice": {
    plant: (good) => {
      const one = pick(good, "crm", "person", (record) =>
        record.versions.some((version) => version.requestId !== undefined),
      );
      const twice = one.versions.find((version) => version.requestId !== undefined)!;
      return change(good, one, (record) => ({
        ...record,
        versions: [...record.versions, { ...twice, whole: "other" }],
      }));
    },
    notice: /took effect twice/,
  },
  "a batch stored twice": {
    plant: (good) => ({ ...good, batches: [...good.batches, good.batches[0] ?? "b", good.batches[0] ?? "b"] }),
    notice: /was stored twice/,
  },
  "a write before its audit entry": {
    plant: (good) => ({ ...good, unaudited: ["planted.1"] }),
    notice: /^2: request planted\.1/,
  },
  "an effect that is on record as not sent": {
    plant: (good) => {
      const id = good.records.flatMap((one) => one.versions.flatMap((version) => version.requestId ?? []))[0] ?? "";
      return { ...good, outcomes: new Map([...good.outcomes, [id, "not-sent"]]) };
    },
    notice: /^3: request \S+ took effect and is on record as not-sent/,
  },
  "an acknowledged notice that was lost": {
    plant: (good) => notice(good, undefined),
    notice: /^6: notice \S+ was acknowledged and is nowhere/,
  },
  "an acknowledged notice that did not end": {
    plant: (good) => notice(good, "queued"),
    notice: /^6: notice \S+ was acknowledged and is queued/,
  },
  "a process that ended by itself": {
    plant: (good) => ({ ...good, problems: ["worker-1 ended, and this run had not killed it (1)"] }),
    notice: /^worker-1 ended/,
  },
  "an echo": { plant: (good) => ({ ...good, echoes: 1 }), notice: /^9: 1 writes/ },
  "a broken audit log": { plant: (good) => ({ ...good, auditProblem: "planted" }), notice: /^audit: planted/ },
  "a canary in a log": {
    plant: (good) => {
      const canary = canarySource(prng(1)).name();
      return { ...good, leaks: canariesIn(`{"msg":"refused ${canary}"}`, [canary]).map(() => "gateway.log") };
    },
    notice: /^12: a canary in gateway\.log/,
  },
};

function pick(
  good: Snapshot,
  side: Held["side"],
  kind: Held["kind"],
  wanted: (one: Held) => boolean = () => true,
): Held {
  const found = good.records.find((one) => one.side === side && one.kind === kind && wanted(one));
  if (!found) throw new Error(`the run left no ${kind} in the ${side} to plant a fault in`);
  return found;
}

function change(good: Snapshot, one: Held, by: (record: Held) => Held): Snapshot {
  return { ...good, records: good.records.map((record) => (record === one ? by(record) : record)) };
}

function last(good: Snapshot, one: Held, by: (version: Version) => Version): Snapshot {
  return change(good, one, (record) => ({
    ...record,
    versions: record.versions.map((version, index) => (index === record.versions.length - 1 ? by(version) : version)),
  }));
}

/** The numbers that this side saw. */
function seen(record: Held): readonly (string | undefined)[] {
  return [...new Set(record.versions.map((version) => version.values["mobile"]))];
}

function notice(good: Snapshot, state: string | undefined): Snapshot {
  const [id] = good.notices.keys();
  if (id === undefined) throw new Error("the run left no notice to plant a fault in");
  return { ...good, notices: new Map([...good.notices, [id, state]]) };
}
