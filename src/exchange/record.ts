// Stage: puts the disclosure on record, durably, before anything leaves (45 CFR 164.312(b); DESIGN invariant 2). `Recorded`
// can be made only here, by the ledger's `begin`, and is the only thing that `deliver` accepts.
import type { AuditEntry } from "../audit/entry.ts";
import { Phi } from "../core/phi.ts";
import { Merged } from "./merge.ts";
import type { Intent } from "./ports.ts";
import type { Minimal } from "./reduce.ts";
import { point, type Run } from "./run.ts";

export class Recorded<T> {
  readonly #data: Phi<T>;
  readonly intent: Intent;
  private constructor(data: T, intent: Intent) {
    this.#data = new Phi(data);
    this.intent = intent;
  }

  /** Row `queued → sending`, intent and audit entries in one durable step. Throws `lane-lost`. */
  static async record<T>(
    run: Run,
    merged: Merged<T>,
    intent: Intent,
    entries: readonly AuditEntry[],
  ): Promise<Recorded<T>> {
    const watch = run.lane.watch();
    run.lane.kept(await run.gateway.store.ledger.begin(run.row.id, intent, entries, run.lane.hold));
    run.lane.renewed(watch);
    const recorded = new Recorded(Merged.open(merged), intent);
    await point(run, "recorded");
    return recorded;
  }

  /** The same for a batch of de-identified lines, whose bytes are made of nothing else. Throws `lane-lost`. */
  static async recordBatch(
    run: Run,
    lines: readonly Minimal<unknown>[],
    body: string,
    intent: Intent,
    entries: readonly AuditEntry[],
  ): Promise<Recorded<string>> {
    if (lines.length === 0 || lines.length !== entries.length) throw new TypeError("one audit entry a line");
    const watch = run.lane.watch();
    run.lane.kept(await run.gateway.store.ledger.begin(run.row.id, intent, entries, run.lane.hold));
    run.lane.renewed(watch);
    const recorded = new Recorded(body, intent);
    await point(run, "recorded");
    return recorded;
  }

  /** Opens the value inside the connector's call only: `deliver.ts` gives `send`. */
  static async deliver<T, U>(recorded: Recorded<T>, send: (data: T) => Promise<U>): Promise<U> {
    return send(Phi.open(recorded.#data));
  }
}
