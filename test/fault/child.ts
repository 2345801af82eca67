// The test's side of one process of Sluice: starts it, kills it, stops it in its tracks, asks it to hold an exchange, keeps
// what it writes to its log.
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { FromProcess, Stall, ToProcess } from "./sluice-process.ts";

const program = fileURLToPath(new URL("sluice-process.ts", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));
const cache = fileURLToPath(new URL("../../node_modules/.cache/sluice/compiled", import.meta.url));

export type End = number | NodeJS.Signals;

export interface Child {
  /** Base address of its HTTP server. */
  readonly address: string;
  /** Resolves with its exit code, or the signal that ended it, when it is gone. */
  readonly gone: Promise<End>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  suspend(): void;
  resume(): void;
  /** Resolves with the exchange that stood still, once it goes on; undefined when the process died before. */
  stall(stall: Stall): Promise<{ readonly exchange: string } | undefined>;
  /** Resolves with the exchange that has come to a point, where it stays until `goOn`; undefined when the process died before. */
  reach(point: Stall["point"]): Promise<string | undefined>;
  goOn(): void;
  /** Asks for an orderly end. */
  stop(): Promise<End>;
}

/**
 * Rejects when it ends before it is ready.
 * @param log File that its standard output and error are added to. @param born Told the process at once, before it is ready.
 */
export async function startChild(
  settings: string,
  log: string,
  born: (child: ChildProcess) => void = () => undefined,
): Promise<Child> {
  const file = openSync(log, "a");
  const env = { ...process.env, NODE_COMPILE_CACHE: cache };
  const child = spawn(process.execPath, [program, settings], { cwd: root, env, stdio: ["ignore", file, file, "ipc"] });
  closeSync(file);
  born(child);
  const endWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const gone = new Promise<End>((resolve) =>
    child.once("exit", (code, signal) => {
      process.off("exit", endWithUs);
      resolve(code ?? signal ?? "SIGKILL");
    }),
  );
  const started = heard(child, (one) => ("ready" in one ? { address: one.ready } : undefined));
  const first = await Promise.race([started, gone]);
  if (typeof first !== "object") throw new Error(`Sluice did not start (${first}); see ${log}`);
  let waits = new AbortController();
  return {
    address: first.address,
    gone,
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
    suspend: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    async stall(stall) {
      const resumed = heard(child, (one) => ("resumed" in one ? { exchange: one.resumed } : undefined));
      send(child, { stall });
      const end = await Promise.race([resumed, gone]);
      return typeof end === "object" ? end : undefined;
    },
    async reach(point) {
      const stalled = heard(child, (one) => ("stalled" in one ? { exchange: one.stalled } : undefined), waits.signal);
      send(child, { stall: { how: "hold", point, ms: 3_600_000 } });
      const end = await Promise.race([stalled, gone]);
      return typeof end === "object" ? end.exchange : undefined;
    },
    goOn: () => {
      waits.abort();
      waits = new AbortController();
      send(child, { goOn: true });
    },
    stop() {
      send(child, { stop: true });
      return gone;
    },
  };
}

/** The first message of which `read` makes something; undefined once that is not waited for any more. */
function heard<T>(
  child: ChildProcess,
  read: (message: FromProcess) => T | undefined,
  waits?: AbortSignal,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    const end = (found: T | undefined): void => {
      child.off("message", listen);
      waits?.removeEventListener("abort", giveUp);
      resolve(found);
    };
    const listen = (message: FromProcess): void => {
      const found = read(message);
      if (found !== undefined) end(found);
    };
    const giveUp = (): void => end(undefined);
    child.on("message", listen);
    waits?.addEventListener("abort", giveUp);
  });
}

function send(child: ChildProcess, message: ToProcess): void {
  // It may die in this instant.
  if (child.connected) child.send(message, () => undefined);
}
