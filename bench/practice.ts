// The benchmark's side of the process that holds the sandboxes: one order at a time, one answer each.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Order, RecordedRequest, StartOrder, Started } from "./practice-process.ts";

export class RemotePractice {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(new URL("practice-process.ts", import.meta.url)), { execArgv: [] });
  }

  async start(order: Omit<StartOrder, "order">): Promise<Started> {
    return (await this.#ask({ order: "start", ...order })) as Started;
  }

  /** Users edit these contacts' mobile numbers; the recording begins anew. */
  async edit(contacts: readonly string[], phone: number): Promise<void> {
    await this.#ask({ order: "edit", contacts, phone });
  }

  async recorded(): Promise<readonly RecordedRequest[]> {
    return (await this.#ask({ order: "recorded" })) as readonly RecordedRequest[];
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, "exit");
    await this.#ask({ order: "stop" });
    await ended;
  }

  async #ask(order: Order): Promise<unknown> {
    this.#child.send(order);
    const [reply] = (await once(this.#child, "message")) as [{ readonly answer?: unknown; readonly error?: string }];
    if (reply.error !== undefined) throw new Error(`the sandboxes' process: ${reply.error}`);
    return reply.answer;
  }
}
