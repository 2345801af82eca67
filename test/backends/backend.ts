// What a starter of a back end hands out, and what it says when it cannot.
import { runCommand } from "./command.ts";

export interface RunningBackend {
  /** Where it listens. */
  readonly url: string;
  /** For people: what was used and its version, `Redis 7.0.15 (redis-server of this machine, private, port 40123)`. */
  readonly description: string;
  /** Stops it, if it was started here. */
  close(): Promise<void>;
}

/** A server that was started here, with data of its own that outlives a crash. */
export interface PrivateBackend extends RunningBackend {
  /** SIGKILL, as when the machine's memory runs out. */
  kill(): Promise<void>;
  /** After `kill`: on the same data, at the same address. */
  restart(): Promise<void>;
}

/** The back end cannot be started here; the message says what was tried and the exact command that adds it. */
export class BackendMissing extends Error {
  override readonly name = "BackendMissing";
}

/** Resolves when `attempt` does; rejects with its last error when it has failed `times` times, 50 ms apart. */
export async function eventually<T>(attempt: () => Promise<T>, times = 200): Promise<T> {
  for (let n = 1; ; n += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (n >= times) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** With CI=true or with `--install`, starters may fetch what they build into a folder of their own. */
export function mayFetch(): boolean {
  return process.env["CI"] === "true" || process.env["SLUICE_TEST_INSTALL"] === "true";
}

/** With CI=true, or as root with `--install`, starters may install Debian packages. */
export function mayInstall(): boolean {
  return mayFetch() && process.getuid?.() === 0;
}

/** Says that tests are not run for want of something; `npm test` repeats it in its summary. */
export function notRun(reason: string): void {
  console.error(`not run: ${reason}`);
  process.send?.({ notRun: reason } satisfies NotRun);
}

export interface NotRun {
  readonly notRun: string;
}

/** To be awaited in a `before` hook: skips the suite when `start` rejects with BackendMissing; with CI=true it fails. */
export async function startOrSkip<T>(hook: Mocha.Context, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof BackendMissing) || process.env["CI"] === "true") throw error;
    notRun(error.message);
    return hook.skip();
  }
}

/** Installs Debian packages, showing what apt says. Whether that helped, the caller sees by itself. */
export async function install(...packages: readonly string[]): Promise<void> {
  console.error(`installing the Debian packages ${packages.join(", ")}`);
  await runCommand("apt-get", ["update", "-q"]);
  await runCommand("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...packages], true);
}
