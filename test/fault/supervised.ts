// One process of the production profile under supervision, as an operating system or an orchestrator gives it: whenever it
// ends, it is started again.
import type { ChildProcess } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { startChild, type Child } from "./child.ts";

const againMs = 500;
/** An orderly end takes no longer: what runs is finished within its lease and its timeouts. */
const endMs = 60_000;

export class Supervised {
  readonly name: string;
  readonly role: "gateway" | "worker";
  readonly log: string;
  /** Starts that failed, as they must while a server is away. */
  failedStarts = 0;
  /** How it ended when nobody had killed it. */
  readonly endedAlone: string[] = [];
  readonly #settings: string;
  #child: Child | undefined;
  #born: ChildProcess | undefined;
  #isSuspended = false;
  #wasKilled = false;
  #isOver = false;
  #supervising: Promise<void> = Promise.resolve();

  /** @param settings Its settings file. @param log The file that its output is added to. */
  constructor(name: string, role: "gateway" | "worker", settings: string, log: string) {
    this.name = name;
    this.role = role;
    this.log = log;
    this.#settings = settings;
  }

  start(): void {
    this.#supervising = this.#supervise();
  }

  /** Ready, and neither killed nor suspended. */
  get up(): Child | undefined {
    return this.#isSuspended || this.#wasKilled ? undefined : this.#child;
  }

  /** Also while it is suspended: who calls it cannot know. */
  get address(): string | undefined {
    return this.#child?.address;
  }

  async kill(): Promise<void> {
    this.#wasKilled = true;
    await this.#child?.kill();
  }

  /** SIGSTOP now; the answer goes on with SIGCONT. */
  suspend(): () => void {
    const child = this.#child;
    this.#isSuspended = true;
    child?.suspend();
    return () => {
      child?.resume();
      this.#isSuspended = false;
    };
  }

  /** Asks for an orderly end. Answers what went wrong with it. */
  async stop(): Promise<string | undefined> {
    this.#isOver = true;
    const late = delay(endMs, "late" as const, { ref: false });
    const code = await Promise.race([this.#child?.stop() ?? Promise.resolve(0), late]);
    if (code === "late") return `${this.name} had not ended ${endMs / 1000} s after it was asked to`;
    await this.#supervising;
    return code === 0 ? undefined : `${this.name} ended with ${code} when it was asked to end`;
  }

  async destroy(): Promise<void> {
    this.#isOver = true;
    this.#born?.kill("SIGKILL");
    await this.#supervising;
  }

  async #supervise(): Promise<void> {
    while (!this.#isOver) {
      this.#wasKilled = false;
      try {
        const born = (child: ChildProcess): void => void (this.#born = child);
        this.#child = await startChild(this.#settings, this.log, born);
      } catch {
        this.failedStarts += 1;
        await delay(againMs);
        continue;
      }
      const end = await this.#child.gone;
      this.#child = undefined;
      if (!this.#wasKilled && !this.#isOver) {
        // A signal may be somebody else's on this machine; whose, nobody can say.
        this.endedAlone.push(`${this.name} ended, and this run had not killed it (${end})`);
      }
    }
  }
}
