// What must hold after a run (ARCHITECTURE, What always holds: 2, 5, 6, 7, 9, 10, 12), as pure checks over a snapshot.
// Each names what it found; an empty list means that all held.
import { isOpen } from "./ledger-view.ts";
import type { Truth } from "./population.ts";
import { editedIn } from "./readings.ts";
import type { Held, Snapshot, Version } from "./snapshot.ts";

export interface Expected {
  readonly persons: ReadonlyMap<string, Truth>;
  readonly visits: ReadonlyMap<string, Truth>;
}

export function violations(snapshot: Snapshot, expected: Expected): readonly string[] {
  return [
    ...onceOnEachSide(snapshot, expected),
    ...equalToTheLastEdit(snapshot, expected),
    ...noLinkIdTwice(snapshot),
    ...noEffectTwice(snapshot),
    ...inOrder(snapshot),
    ...nothingUnaudited(snapshot),
    ...noEffectDenied(snapshot),
    ...noNoticeLost(snapshot),
    ...(snapshot.echoes > 0 ? [`9: ${snapshot.echoes} writes after both sides were quiet`] : []),
    ...(snapshot.auditProblem === undefined ? [] : [`audit: ${snapshot.auditProblem}`]),
    ...snapshot.problems,
    ...snapshot.leaks.map((leak) => `12: a canary in ${leak}`),
  ];
}

function truths(expected: Expected): readonly (readonly [Held["kind"], Truth])[] {
  return [
    ...[...expected.persons.values()].map((one) => ["person", one] as const),
    ...[...expected.visits.values()].map((one) => ["visit", one] as const),
  ];
}

function find(snapshot: Snapshot, side: Held["side"], kind: Held["kind"], key: string): readonly Held[] {
  return snapshot.records.filter((one) => one.side === side && one.kind === kind && one.key === key);
}

function onceOnEachSide(snapshot: Snapshot, expected: Expected): readonly string[] {
  const unknown = snapshot.records.filter((one) => one.key === undefined);
  const wrong = truths(expected).flatMap(([kind, { key }]) =>
    (["crm", "ehr"] as const).flatMap((side) => {
      const { length } = find(snapshot, side, kind, key);
      return length === 1 ? [] : [`7: ${kind} ${key} is in the ${side} ${length} times`];
    }),
  );
  return [...unknown.map((one) => `7: ${one.kind} ${one.id} in the ${one.side} is nobody's`), ...wrong];
}

function equalToTheLastEdit(snapshot: Snapshot, expected: Expected): readonly string[] {
  return truths(expected).flatMap(([kind, { key, values }]) =>
    (["crm", "ehr"] as const).flatMap((side) =>
      find(snapshot, side, kind, key).flatMap((one) => {
        const now = one.versions.at(-1)?.values ?? {};
        return Object.keys(values)
          .filter((name) => now[name] !== values[name])
          .map(
            (name) => `10: ${name} of ${kind} ${key} in the ${side} is ${now[name] ?? "-"}, not ${values[name] ?? "-"}`,
          );
      }),
    ),
  );
}

function noLinkIdTwice({ records }: Snapshot): readonly string[] {
  const seen = new Map<string, Held>();
  return records.flatMap((one) =>
    one.linkIds.flatMap((link) => {
      const key = `${one.side} ${one.kind} ${link}`;
      const before = seen.get(key);
      seen.set(key, one);
      return before ? [`7: ${one.kind} ${one.id} and ${before.id} in the ${one.side} carry one link id`] : [];
    }),
  );
}

/** No write repeats what the one before it did; no request id takes effect, or is even sent, twice; no batch is stored twice. */
function noEffectTwice({ records, writes, batches }: Snapshot): readonly string[] {
  const repeated = records.flatMap(({ side, kind, id, versions }) =>
    versions.flatMap((version, index) =>
      version.by === "api" && version.whole === versions[index - 1]?.whole
        ? [`7: version ${index + 1} of ${kind} ${id} in the ${side} repeats the one before it`]
        : [],
    ),
  );
  const effects = records.flatMap(({ versions }) => versions.flatMap((version) => version.requestId ?? []));
  return [
    ...repeated,
    ...twice(effects).map((id) => `7: request ${id} took effect twice`),
    ...twice(writes).map((id) => `7: request ${id} was sent twice`),
    ...twice(batches).map((id) => `7: batch ${id} was stored twice`),
  ];
}

function twice(ids: readonly string[]): readonly string[] {
  return [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))];
}

/** The values that a side saw are a subsequence of the record's history at the side where they are edited. */
function inOrder({ records }: Snapshot): readonly string[] {
  return (["crm", "ehr"] as const).flatMap((source) =>
    editedIn[source].flatMap((name) =>
      records
        .filter((one) => one.side === source && one.key !== undefined && name in (one.versions.at(-1)?.values ?? {}))
        .flatMap((at) => {
          const there = records.find((one) => one.side !== source && one.kind === at.kind && one.key === at.key);
          if (!there) return [];
          const history = sequence(at.versions, name);
          const seen = sequence(there.versions, name);
          return isSubsequence(seen, history) && seen.at(-1) === history.at(-1)
            ? []
            : [
                `10: ${name} of ${at.kind} ${at.key ?? ""}: ${there.side} saw ${seen.join(" → ")}; history ${history.join(" → ")}`,
              ];
        }),
    ),
  );
}

function sequence(versions: readonly Version[], name: string): readonly string[] {
  const values = versions.map((version) => version.values[name] ?? "-");
  return values.filter((value, index) => value !== values[index - 1]);
}

export function isSubsequence(some: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const one of all) if (at < some.length && one === some[at]) at += 1;
  return at === some.length;
}

function nothingUnaudited({ unaudited }: Snapshot): readonly string[] {
  return unaudited.map((id) => `2: request ${id} left before its audit entry was durable`);
}

/** What took effect is never on record as not sent or failed. */
function noEffectDenied({ records, outcomes }: Snapshot): readonly string[] {
  const effects = records.flatMap(({ versions }) => versions.flatMap((version) => version.requestId ?? []));
  return effects
    .filter((id) => ["not-sent", "failed"].includes(outcomes.get(id) ?? ""))
    .map((id) => `3: request ${id} took effect and is on record as ${outcomes.get(id) ?? ""}`);
}

/** What was acknowledged has a row, and that has come to its end. */
function noNoticeLost({ notices }: Snapshot): readonly string[] {
  return [...notices]
    .filter(([, state]) => state === undefined || isOpen(state))
    .map(([id, state]) => `6: notice ${id} was acknowledged and is ${state ?? "nowhere"}`);
}
