// Writes to the audit log, beside writers in other processes. What waits is committed as one batch as soon as the commit
// before it is done; who finds his number taken goes on from the tail; who won pauses, so that all get on.
import { headOf, isEntry, sealBatch } from "../../audit/batch.ts";
import type { AuditBatch, AuditEntry, AuditHead } from "../../audit/entry.ts";
import type { Clock } from "../../core/clock.ts";
import { SluiceError } from "../../core/errors.ts";
import { newId, type Random } from "../../core/ids.ts";
import { broken, type AuditChain } from "./audit-chain.ts";
import { translate } from "./failure.ts";

interface Request {
  readonly entries: readonly AuditEntry[];
  readonly size: number;
  readonly resolve: () => void;
  readonly reject: (error: SluiceError) => void;
}

/** Bytes and requests after which a batch takes no more: MongoDB keeps documents of up to 16 MB. */
const batchBytes = 4 * 1024 * 1024;
const batchRequests = 1000;
/** Times that a write is tried again when its outcome is not known, and how long is waited before. */
const retries = 3;
const retryMs = 200;

export class AuditWriter {
  readonly #chain: AuditChain;
  readonly #clock: Clock;
  readonly #random: Random;
  #waiting: Request[] = [];
  #writing: Promise<void> | undefined;
  /** The last batch as far as this process knows; undefined = to be read. */
  #tail: AuditHead | undefined;

  constructor(chain: AuditChain, clock: Clock, random: Random) {
    this.#chain = chain;
    this.#clock = clock;
    this.#random = random;
  }

  /** Resolves when the entries are durable. When it rejects, whether they are there is not known; keys may repeat. */
  append(entries: readonly AuditEntry[]): Promise<void> {
    if (entries.length === 0) return Promise.resolve();
    if (!entries.every(isEntry)) return Promise.reject(new SluiceError("internal", "an audit entry is malformed"));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entries, size: sizeOf(entries), resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      const entries = group.flatMap((request) => request.entries);
      try {
        this.#tail = await this.#commit(entries);
        for (const request of group) request.resolve();
      } catch (error) {
        this.#tail = undefined;
        const reason = translate(error);
        for (const request of group) request.reject(reason);
      }
      await this.#pause();
    }
    this.#writing = undefined;
  }

  #nextGroup(): readonly Request[] {
    let size = 0;
    let count = 0;
    for (const request of this.#waiting.slice(0, batchRequests)) {
      size += request.size;
      if (count > 0 && size > batchBytes) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /**
   * The same batch is written under the same number until it, or another, is certainly there: a write whose outcome is not
   * known can so never become two.
   */
  async #commit(entries: readonly AuditEntry[]): Promise<AuditHead> {
    const id = newId(this.#random);
    let tail = this.#tail ?? (await this.#patiently(() => this.#chain.tail()));
    for (;;) {
      const batch = sealBatch(tail, id, entries);
      const found = await this.#patiently(() => this.#place(batch));
      if (found === "placed") {
        await this.#patiently(() => this.#chain.moveHead(headOf(batch)));
        return headOf(batch);
      }
      tail = found;
    }
  }

  /** `placed`, or the tail of the log in which somebody else has the number. */
  async #place(batch: AuditBatch): Promise<"placed" | AuditHead> {
    do {
      if (await this.#chain.insert(batch)) return "placed";
      // Nothing is built on a batch that a change of the primary could still take back.
    } while (!(await this.#chain.isSettled(batch.n)));
    const span = await this.#chain.span(batch.n);
    if (!span) throw broken(`batch ${batch.n} was there and is gone`);
    if (span.first.batch === batch.batch) return "placed";
    return { n: span.last._id, hash: span.last.hash };
  }

  async #patiently<T>(step: () => Promise<T>): Promise<T> {
    for (let n = 1; ; n += 1) {
      try {
        return await step();
      } catch (error) {
        if (n > retries || translate(error).code !== "store-unavailable") throw error;
        await this.#clock.sleep(retryMs);
      }
    }
  }

  /** 1 to 5 ms: without it the winner, who knows the tail, wins again, and the others starve. */
  #pause(): Promise<void> {
    return this.#clock.sleep(1 + ((this.#random(1)[0] ?? 0) % 5));
  }
}

function sizeOf(entries: readonly AuditEntry[]): number {
  let size = 0;
  for (const { key, header, sealed, commitment } of entries) {
    size += Buffer.byteLength(header) + Buffer.byteLength(key) + sealed.length + commitment.length + 100;
  }
  return size;
}
