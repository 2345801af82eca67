// Stage: reads what the destination holds and merges into it, so that a reduced record is never written over a full one
// (ARCHITECTURE, What always holds 8). `Merged` can be made only here, from a `Minimal`; it holds what is written and
// names what changes.
import { hmacId } from "../core/ids.ts";
import { canonicalJson, type JsonObject } from "../core/json.ts";
import { Phi } from "../core/phi.ts";
import type { SourceRecord } from "../core/records.ts";
import type { FieldValues } from "../mapping/contract.ts";
import { baseAt } from "./apart.ts";
import { effectsOf, type Effect } from "./brake/effects.ts";
import { quarantine } from "./causes.ts";
import { readValues, type Converted } from "./convert.ts";
import { contentOf } from "./fetch.ts";
import type { Destination } from "./destination.ts";
import type { Permit } from "./judge.ts";
import { localise, neutralise } from "./references.ts";
import { Minimal } from "./reduce.ts";
import { isFhir, type SyncRun } from "./run.ts";
import { waiting } from "./stop.ts";
import { allOf, mergeThreeWay, type ThreeWay } from "./three-way.ts";

/** What goes to the destination. `body`: the whole resource for FHIR, the changed fields for a CRM. */
export interface WritePlan {
  readonly body: JsonObject;
  readonly version: string | undefined;
  readonly changedAt: string | undefined;
}

export class Merged<T> {
  readonly #data: Phi<T>;
  readonly permit: Permit;
  /** Elements that change at the destination. */
  readonly released: readonly string[];
  readonly withheld: readonly string[];
  private constructor(data: T, permit: Permit, released: readonly string[], withheld: readonly string[]) {
    this.#data = new Phi(data);
    this.permit = permit;
    this.released = released;
    this.withheld = withheld;
  }

  static merge<T, U>(
    minimal: Minimal<T>,
    by: (data: T) => { readonly data: U; readonly changed: readonly string[] },
  ): Merged<U> {
    const { data, changed } = by(Minimal.open(minimal));
    return new Merged(data, minimal.permit, changed, minimal.withheld);
  }

  static open<T>(merged: Merged<T>): T {
    return Phi.open(merged.#data);
  }
}

export interface MergeResult {
  /** Undefined: both sides already hold the same; nothing is written. */
  readonly merged: Merged<WritePlan> | undefined;
  /** The base that holds once it is written. */
  readonly base: Readonly<Record<string, string>>;
  /** What the channel's brake counts of it. */
  readonly effects: readonly Effect[];
  /** Names of the fields that would be written. */
  readonly fields: readonly string[];
}

/** Throws a Stop on a conflict, or when a referenced person is not at the destination yet. */
export async function mergeInto(
  run: SyncRun,
  minimal: Minimal<Converted>,
  destination: Destination,
): Promise<MergeResult> {
  const three = await compare(run, Minimal.open(minimal).values, destination);
  if (three.conflicts.length > 0) {
    throw quarantine("both-changed", { channel: run.channel.id, elements: three.conflicts });
  }
  const base = { ...destination.link?.base, ...three.agreed };
  if (three.changed.size === 0 && destination.record) return { merged: undefined, base, effects: [], fields: [] };
  const local = await localise(run, three.changed, run.channel.to);
  if (!local) throw waiting("person-not-linked");
  const plan = planOf(run, local, destination.record);
  const merged = Merged.merge(minimal, () => ({ data: plan, changed: elementsOf(run, three.changed) }));
  return { merged, base, effects: three.effects, fields: [...three.changed.keys()] };
}

export function hashValue(run: SyncRun): (field: string, value: unknown) => string {
  return (field, value) => hmacId(run.gateway.keys.id, "base", run.mapping.id, field, canonicalJson(value));
}

export interface Comparison extends ThreeWay {
  readonly effects: readonly Effect[];
}

export async function compare(run: SyncRun, source: FieldValues, destination: Destination): Promise<Comparison> {
  const hash = hashValue(run);
  const { record, link } = destination;
  if (!record) return { ...allOf(source, hash), effects: [] };
  const there = await neutralise(run, readValues(run, record, "destination"), run.channel.to);
  const base = link?.base ?? {};
  const bases = { source: baseAt(base, run.channel.from), destination: baseAt(base, run.channel.to) };
  const three = mergeThreeWay(run.mapping.fields, source, there, bases, hash);
  return { ...three, effects: effectsOf(run.mapping, three.changed, there, hash) };
}

function planOf(run: SyncRun, values: FieldValues, record: SourceRecord | undefined): WritePlan {
  const body = isFhir(run.active, run.channel.to)
    ? run.mapping.writeFhir(values, record && contentOf(record))
    : run.mapping.writeCrm(values);
  return { body, version: record?.version, changedAt: record?.changedAt };
}

function elementsOf(run: SyncRun, changed: FieldValues): readonly string[] {
  return run.mapping.fields.filter((field) => changed.has(field.name)).map((field) => field.element);
}
