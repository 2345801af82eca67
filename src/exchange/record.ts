// Stage: puts the disclosure on record, durably, before anything leaves (45 CFR 164.312(b); ARCHITECTURE, What always
// holds 2). `Recorded` can be made only here, by the ledger's `begin`, and is the only thing that `deliver` accepts.
import type { AuditEntry } from "../audit/entry.ts";
import { hmacId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import { Phi } from "../core/phi.ts";
import { seal, unseal } from "../core/seal.ts";
import { quarantine } from "./causes.ts";
import { Merged } from "./merge.ts";
import type { Intent } from "./ports.ts";
import { Minimal } from "./reduce.ts";
import { point, type Run } from "./run.ts";

/** What is planned with a batch: its rows, and where its bytes are kept until it is known what became of them. */
export type BatchIntent = Intent & Required<Pick<Intent, "members" | "blob">>;

/** The disclosures of a batch, one a line, in the order of its lines. */
export type EntriesOf = (intent: Intent) => Promise<readonly AuditEntry[]>;

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

  /** A batch: its bytes are made here, of the de-identified lines and nothing else. Throws `lane-lost`. */
  static async recordBatch(
    run: Run,
    lines: readonly Minimal<JsonObject>[],
    plan: Omit<BatchIntent, "contentHash">,
    entriesOf: EntriesOf,
  ): Promise<Recorded<string>> {
    const body = lines.map((line) => JSON.stringify(Minimal.open(line))).join("\n");
    const intent = { ...plan, contentHash: contentHash(run, body) };
    const { keys, random } = run.gateway;
    return Recorded.#beginBatch(run, body, intent, entriesOf, seal(keys.data, body, intent.blob, random));
  }

  /**
   * A batch of unknown outcome: the bytes that were kept, if they are those that were on record then and each member was
   * judged again. Throws `lane-lost`, and a Stop when the bytes are not there any more.
   */
  static async recordBatchAgain(
    run: Run,
    lines: readonly Minimal<JsonObject>[],
    earlier: Intent,
    entriesOf: EntriesOf,
  ): Promise<Recorded<string>> {
    const { members, blob } = earlier;
    const sealed = blob === undefined ? undefined : await run.gateway.store.blobs.get(blob);
    if (!members || blob === undefined || sealed === undefined)
      throw quarantine("outcome-unknown", { channel: run.channel.id });
    if (lines.length !== members.length) throw new TypeError("every member is judged again");
    const body = unseal(run.gateway.keys.data, sealed, blob).toString("utf8");
    if (contentHash(run, body) !== earlier.contentHash)
      throw quarantine("outcome-unknown", { channel: run.channel.id });
    const intent = { ...earlier, members, blob, n: run.n, at: run.gateway.clock.now(), again: true } as const;
    return Recorded.#beginBatch(run, body, intent, entriesOf, undefined);
  }

  static async #beginBatch(
    run: Run,
    body: string,
    intent: BatchIntent,
    entriesOf: EntriesOf,
    bytes: string | undefined,
  ): Promise<Recorded<string>> {
    const entries = await entriesOf(intent);
    if (entries.length === 0 || entries.length !== intent.members.length) throw new TypeError("one audit entry a line");
    const watch = run.lane.watch();
    run.lane.kept(await run.gateway.store.ledger.begin(run.row.id, intent, entries, run.lane.hold, bytes));
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

function contentHash(run: Run, body: string): string {
  return hmacId(run.gateway.keys.id, "content", body);
}
