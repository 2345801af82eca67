// Runs test files in one mocha process of their own and tells the parent how it went.
// Usage: run-files.ts [--grep TEXT] FILE…, started with an IPC channel.
import { parseArgs } from "node:util";
import Mocha from "mocha";

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const { values, positionals } = parseArgs({ options: { grep: { type: "string" } }, allowPositionals: true });
const mocha = new Mocha({
  timeout: 20_000,
  reporter: "spec",
  forbidOnly: process.env["CI"] === "true",
  ...(values.grep === undefined ? {} : { grep: values.grep }),
});
for (const file of positionals) mocha.addFile(file);
await mocha.loadFilesAsync();
const runner = mocha.run(() => {
  const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
  const outcome: Outcome = { passed: passes, failed: failures, skipped: pending };
  process.send?.(outcome, () => process.disconnect());
});
