// 50,000 waiting exchanges: a sweep stays as small as it is told, live work comes before backfill, order is kept within each
// lane, and memory does not grow with what waits.
import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { NewRow } from "../../../src/exchange/ports.ts";
import type { StoreOf } from "./contract.ts";
import { take } from "./samples.ts";

const total = 50_000;
const laneCount = 5_000;
const sweepLimit = 500;
/** Heap that twenty sweeps may leave behind, bytes: far below what the rows take. */
const mostGrowth = 8 * 1024 * 1024;

export function manyWaitingContract(store: StoreOf): void {
  it(`${total.toLocaleString("en")} waiting exchanges`, async function () {
    this.timeout(240_000);
    const { ledger } = store();
    for (let from = 0; from < total; from += 5_000) {
      await ledger.accept(Array.from({ length: 5_000 }, (_, n) => rowAt(from + n)));
    }
    const first = await ledger.due(1e12, sweepLimit);
    assert.equal(first.length, sweepLimit);
    const before = heapUsed();
    for (let sweep = 0; sweep < 20; sweep += 1) assert.equal((await ledger.due(1e12, sweepLimit)).length, sweepLimit);
    assert.ok(heapUsed() - before < mostGrowth, `the heap grew by ${heapUsed() - before} bytes`);

    assert.ok(first.every((lane) => isLive(lane)));
    // Once no live lane is free, the backfill's turn has come.
    const live = await ledger.due(1e12, laneCount);
    assert.deepEqual(
      live.map((lane) => isLive(lane)),
      [...Array.from({ length: laneCount / 2 }, () => true), ...Array.from({ length: laneCount / 2 }, () => false)],
    );
    for (const lane of [first[0] ?? "", first.at(-1) ?? ""]) {
      const hold = await take(ledger, lane);
      const seen: number[] = [];
      for (let row = await ledger.head(hold); row; row = await ledger.head(hold)) {
        seen.push(Number(row.mark));
        await ledger.finish(row.id, { state: "unchanged", cause: undefined, at: 1 }, [], hold);
      }
      await ledger.release(hold);
      assert.equal(seen.length, total / laneCount);
      assert.deepEqual(
        seen,
        seen.toSorted((a, b) => a - b),
      );
      assert.equal((await ledger.due(1e12, laneCount)).includes(lane), false);
    }
  });
}

/** Every second lane is a backfill's. */
function isLive(lane: string): boolean {
  return Number(lane.split("-")[1]) % 2 === 0;
}

function rowAt(n: number): NewRow {
  const lane = `waiting-${Math.floor((n * laneCount) / total)}`;
  return {
    id: `waiting-row-${n}`,
    lane,
    channel: "crm-to-ehr",
    source: { system: "crm", type: "Contact", id: `waiting-${n}` },
    kind: "change",
    mark: String(n),
    priority: isLive(lane) ? "live" : "backfill",
    acceptedAt: 1_000 + n,
    configuration: "configuration",
  };
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
