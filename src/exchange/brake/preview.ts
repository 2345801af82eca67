// What waits behind a stopped channel, looked at by dry runs: which records would lose what, by kind, element and id. No
// values: `explain` shows those of one record, masked where they must be.
import type { BrakeKind } from "../../core/configuration.ts";
import { openStates, refKey, type RecordRef } from "../../core/records.ts";
import { dryRun } from "../dry-run.ts";
import type { Gateway } from "../gateway.ts";
import type { Row } from "../ports.ts";
import { decisionOn } from "./limits.ts";
import { registerOf, stateOf, type BrakeState, type Stopped } from "./state.ts";

export interface PreviewedRecord {
  readonly exchange: string;
  readonly record: RecordRef;
  /** The linked record that would be written to. */
  readonly destination: RecordRef;
  readonly changes: readonly { readonly kind: BrakeKind; readonly element: string }[];
}

export interface Preview {
  readonly stopped: Stopped | undefined;
  /** Exchanges that wait, and the records that they are about. */
  readonly exchanges: number;
  readonly records: number;
  /** Records looked at; the rest was left out by the limit. */
  readonly looked: number;
  /** Of those, by kind, how many the brake would count. */
  readonly counts: Readonly<Partial<Record<BrakeKind, number>>>;
  readonly counted: readonly PreviewedRecord[];
}

const pageSize = 500;
const atOnce = 4;

export async function previewBrake(gateway: Gateway, channel: string, limit: number): Promise<Preview> {
  const state = stateOf(await gateway.store.registers.get(registerOf(channel)));
  const newest = new Map<string, Row>();
  let exchanges = 0;
  for await (const row of waitingRows(gateway, channel)) {
    exchanges += 1;
    const before = newest.get(refKey(row.source));
    if (!before || before.seq < row.seq) newest.set(refKey(row.source), row);
  }
  const rows = [...newest.values()].slice(0, limit);
  const counted: PreviewedRecord[] = [];
  for (let at = 0; at < rows.length; at += atOnce) {
    const some = await Promise.all(rows.slice(at, at + atOnce).map((row) => lookAt(gateway, state, row)));
    counted.push(...some.filter((one) => one !== undefined));
  }
  const { stopped } = state;
  return { stopped, exchanges, records: newest.size, looked: rows.length, counts: countsOf(counted), counted };
}

async function* waitingRows(gateway: Gateway, channel: string): AsyncIterable<Row> {
  const filter = { channel, states: openStates, limit: pageSize };
  for (let after: { acceptedAt: number; id: string } | undefined; ;) {
    const page = await gateway.store.ledger.find({ ...filter, ...(after && { after }) });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < pageSize) return;
    after = { acceptedAt: last.acceptedAt, id: last.id };
  }
}

/** Undefined: harmless. A record without a link is created or matched, which the brake does not count. */
async function lookAt(gateway: Gateway, state: BrakeState, row: Row): Promise<PreviewedRecord | undefined> {
  const to = gateway.active.configuration.channels.get(row.channel)?.to ?? "";
  const link = await gateway.store.links.pairOf(row.source, to);
  const destination = link?.records.find((one) => one.system === to);
  if (!destination) return undefined;
  const { channel, source, id: exchange } = row;
  const { destination: found } = await dryRun(gateway, { channel, source, record: undefined, live: true });
  const changes = (found?.effects ?? []).filter(({ kind }) => decisionOn(state, kind, row.acceptedAt) !== "apply");
  return changes.length === 0 ? undefined : { exchange, record: source, destination, changes };
}

function countsOf(records: readonly PreviewedRecord[]): Preview["counts"] {
  const counts: Partial<Record<BrakeKind, number>> = {};
  for (const { changes } of records) {
    for (const kind of new Set(changes.map((change) => change.kind))) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
