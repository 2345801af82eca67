// Stage: takes notices into the ledger, durably, and only then wakes their lanes.
import type { Gateway } from "./gateway.ts";
import type { NewRow } from "./ports.ts";
import { wokenOf } from "./woken.ts";

/** More accepted rows than this are left to the sweep, which wakes lanes at a steady pace. */
const wakeAtMost = 200;

/** Accepts rows and wakes their lanes. Resolves when they are durable. */
export async function acceptRows(gateway: Gateway, rows: readonly NewRow[]): Promise<number> {
  if (rows.length === 0) return 0;
  const answers = await gateway.store.ledger.accept(rows);
  await gateway.pausePoint?.("accepted", rows[0]?.id ?? "");
  const accepted = rows.filter((_row, index) => answers[index] === "accepted");
  const lanes = new Set(accepted.map((row) => row.lane));
  if (lanes.size <= wakeAtMost) await Promise.all([...lanes].map((lane) => wake(gateway, lane)));
  return accepted.length;
}

/** A wake-up that fails costs a second: the sweep finds the row. */
async function wake(gateway: Gateway, lane: string): Promise<void> {
  const woken = wokenOf(gateway);
  woken.mark(lane);
  try {
    await gateway.queue.wake(lane);
  } catch (error) {
    woken.forget(lane);
    gateway.log.warn({ error }, "the queue takes no wake-up; the sweep will find the row");
  }
}
