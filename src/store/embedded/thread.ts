// The main thread's side of the store's thread: posts requests, keeps the promises, and fails them all when the thread dies.
import { Worker } from "node:worker_threads";
import { SluiceError } from "../../core/errors.ts";
import { thrownError } from "./messages.ts";
import type { Answer, Message, Reply, Request, ThreadOptions } from "./messages.ts";
import type { Arguments, OperationName, Result } from "./operations.ts";

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: SluiceError) => void;
}

export class Thread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #outgoing: Request[] = [];
  #lastId = 0;
  #gone: SluiceError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: ThreadOptions, script: URL) {
    this.#worker = new Worker(script, { workerData: options });
    this.#worker.on("message", (reply: Reply) => {
      for (const answer of reply) this.#settle(answer);
    });
    this.#worker.on("error", () => this.#die("the store's thread has failed"));
    this.#worker.on("exit", () => this.#die("the store's thread has ended"));
  }

  /** Resolves when the file is open. */
  static async start(options: ThreadOptions, script = new URL("./worker.ts", import.meta.url)): Promise<Thread> {
    const thread = new Thread(options, script);
    try {
      await new Promise((resolve, reject) => thread.#pending.set(0, { resolve, reject }));
    } catch (error) {
      await thread.#worker.terminate();
      throw error;
    }
    return thread;
  }

  /** Resolves after the commit. Rejects with a SluiceError; after `store-unavailable` the write may have been made. */
  call<Name extends OperationName>(name: Name, ...values: Arguments<Name>): Promise<Result<Name>> {
    return this.#ask((id) => {
      // All calls of one turn travel in one message.
      if (this.#outgoing.length === 0) queueMicrotask(() => this.#post());
      this.#outgoing.push({ id, name, values });
    }) as Promise<Result<Name>>;
  }

  async flush(): Promise<void> {
    await this.#ask((id) => this.#send({ kind: "flush", id }));
  }

  /** Commits what waits, then closes the file. Calling it again waits for the same end. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#gone) return;
    const closed = this.#ask((id) => this.#send({ kind: "close", id }));
    this.#gone = unavailable("the store is closed");
    try {
      await closed;
    } finally {
      await this.#worker.terminate();
    }
  }

  #ask(send: (id: number) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#gone) {
        reject(this.#gone);
        return;
      }
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject });
      send(id);
    });
  }

  #post(): void {
    const requests = this.#outgoing;
    this.#outgoing = [];
    if (requests.length === 0) return;
    try {
      this.#worker.postMessage({ kind: "requests", requests } satisfies Message);
    } catch {
      // A value that cannot be cloned: none of these requests was posted.
      const error = new SluiceError("internal", "a request to the store holds something that is no data");
      for (const { id } of requests) this.#settleWith(id, (pending) => pending.reject(error));
    }
  }

  /** Requests made before go first. */
  #send(message: Message): void {
    this.#post();
    this.#worker.postMessage(message);
  }

  #settle(answer: Answer): void {
    this.#settleWith(answer.id, (pending) => {
      if ("error" in answer) pending.reject(thrownError(answer.error));
      else pending.resolve(answer.value);
    });
  }

  #settleWith(id: number, end: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending) end(pending);
  }

  #die(what: string): void {
    this.#gone ??= unavailable(what);
    for (const pending of this.#pending.values()) pending.reject(unavailable(what));
    this.#pending.clear();
  }
}

function unavailable(what: string): SluiceError {
  return new SluiceError("store-unavailable", what, { hint: "restart Sluice; what was answered is durable" });
}
