// The thread that owns the SQLite file. It commits whatever waits as soon as the last commit is done, without a timer: while
// one commit runs the next requests gather. Once a second it mirrors the audit head and empties a WAL with erased bytes.
import { parentPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { SluiceError } from "../../core/errors.ts";
import { openDatabase } from "./database.ts";
import type { Database } from "./database.ts";
import { asStoreError } from "./failure.ts";
import { commitGroup } from "./group.ts";
import { plainError } from "./messages.ts";
import type { Answer, Message, Reply, Request, ThreadOptions } from "./messages.ts";
import { moveMirror } from "./mirror.ts";
import { Transaction } from "./transaction.ts";

/** Most requests in one commit; bounds the size of an audit batch and the time until the first answer. */
const groupSize = 500;
const tendEveryMs = 1000;

class StoreThread {
  readonly #port: MessagePort;
  readonly #db: Database;
  readonly #mirrorTo: string;
  readonly #timer: NodeJS.Timeout;
  #waiting: Request[] = [];
  #scheduled = false;
  #erased = true; // a WAL left by a crash may hold erased bytes

  constructor(port: MessagePort, options: ThreadOptions) {
    this.#port = port;
    this.#db = openDatabase(options.path, options.maxPages);
    this.#mirrorTo = options.mirrorTo;
    this.#timer = setInterval(() => this.#attempt(() => this.#tend()), tendEveryMs);
    port.on("message", (message: Message) => this.#receive(message));
  }

  #receive(message: Message): void {
    if (message.kind === "requests") {
      for (const request of message.requests) this.#waiting.push(request);
      this.#schedule();
      return;
    }
    while (this.#waiting.length > 0) this.#commit();
    const error = this.#attempt(message.kind === "flush" ? () => this.#tend() : () => this.#close());
    this.#reply([error ? { id: message.id, error: plainError(error) } : { id: message.id, value: undefined }]);
    if (message.kind === "close") this.#port.close();
  }

  /** setImmediate runs after all messages that have arrived so far: they are the group. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#commit();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  #commit(): void {
    const group = this.#waiting.slice(0, groupSize);
    if (group.length === 0) return;
    this.#waiting = this.#waiting.slice(groupSize);
    const { answers, erased } = commitGroup(this.#db, group);
    this.#erased ||= erased;
    this.#reply(answers);
  }

  #tend(): void {
    if (this.#erased && this.#db.emptyWal()) this.#erased = false;
    moveMirror(this.#mirrorTo, new Transaction(this.#db));
  }

  #close(): void {
    clearInterval(this.#timer);
    try {
      this.#tend();
    } catch (error) {
      // A damaged log is for `verify` to tell, which may be what the store was opened for.
      if (!(error instanceof SluiceError) || error.code !== "audit-broken") throw error;
    } finally {
      this.#db.close();
    }
  }

  #attempt(work: () => void): SluiceError | undefined {
    try {
      work();
      return undefined;
    } catch (error) {
      if (error instanceof Error && "syscall" in error) {
        return new SluiceError("store-unavailable", "the audit head could not be mirrored");
      }
      return asStoreError(error);
    }
  }

  #reply(answers: readonly Answer[]): void {
    this.#port.postMessage(answers satisfies Reply);
  }
}

if (parentPort) {
  try {
    new StoreThread(parentPort, workerData as ThreadOptions);
    parentPort.postMessage([{ id: 0, value: undefined }] satisfies Reply);
  } catch (error) {
    parentPort.postMessage([{ id: 0, error: plainError(asStoreError(error)) }] satisfies Reply);
  }
}
