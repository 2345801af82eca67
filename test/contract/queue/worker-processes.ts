// Worker processes of a test, with what they said.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { until } from "./contract.ts";

const program = fileURLToPath(new URL("worker-process.ts", import.meta.url));

export class WorkerProcess {
  readonly said: string[] = [];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout) createInterface(child.stdout).on("line", (line) => this.said.push(line));
  }

  static async start(url: string, prefix: string, idKey: Buffer): Promise<WorkerProcess> {
    const args = [program, url, prefix, idKey.toString("hex")];
    const worker = new WorkerProcess(spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] }));
    await until(() => worker.said.includes("READY"));
    return worker;
  }

  async kill(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "close");
  }
}
