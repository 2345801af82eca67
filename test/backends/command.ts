// Runs a program to its end, for the starters.
import { spawn } from "node:child_process";

export interface Finished {
  /** Exit code; undefined when the program could not be started at all. */
  readonly code: number | undefined;
  /** Standard output and error as they came. */
  readonly output: string;
}

/** Never rejects. `loud` shows the output while it comes, on standard error. */
export function runCommand(program: string, args: readonly string[], loud = false): Promise<Finished> {
  return new Promise((resolve) => {
    let output = "";
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
      if (loud) process.stderr.write(chunk);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", () => {
      resolve({ code: undefined, output });
    });
    child.on("close", (code) => {
      resolve({ code: code ?? 1, output });
    });
  });
}

export async function works(program: string, ...args: string[]): Promise<boolean> {
  return (await runCommand(program, args)).code === 0;
}
