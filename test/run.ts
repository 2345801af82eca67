// `npm test`: starts the back ends, says which, runs every test folder and ends with one line of counts.
//   --install      on Debian: missing back ends are fetched or, as root, installed
//   --peers        also what needs the real FHIR server, which is built first (Java, Maven, 337 MB of jars)
//   --fault        the fault tests alone, in their full form
//   --profile NAME with --fault: embedded, production or both (default)
//   --grep TEXT    only tests whose title contains it
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BackendMissing, type NotRun, type RunningBackend } from "./backends/backend.ts";
import { startMongo } from "./backends/mongo.ts";
import { startRedis } from "./backends/redis.ts";
import type { Outcome } from "./run-files.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
/** In this order; a folder that is not named here runs before the last two. */
const first = ["unit", "property", "contract", "architecture"];
const last = ["e2e", "fault"];
/** A test process that has told its outcome has so long to end; then something in it was left running. */
const lingerMs = 20_000;

const { values: flags } = parseArgs({
  options: {
    install: { type: "boolean" },
    peers: { type: "boolean" },
    fault: { type: "boolean" },
    profile: { type: "string", default: "both" },
    grep: { type: "string" },
  },
});

// Read by the starters, here and in the test processes.
if (flags.install) process.env["SLUICE_TEST_INSTALL"] = "true";
if (flags.peers) process.env["SLUICE_TEST_PEERS"] = "true";
if (!["embedded", "production", "both"].includes(flags.profile)) {
  console.error("--profile is embedded, production or both");
  process.exit(2);
}
process.env["SLUICE_FAULT_PROFILE"] = flags.profile;
if (flags.fault) process.env["SLUICE_FAULT"] = "full";
console.log(`Node ${process.versions.node}, SQLite ${process.versions.sqlite}, PGlite ${pgliteVersion()} (embedded)`);
const running: RunningBackend[] = [];
const missing: string[] = [];
/** What each started back end is called in the environment of the tests. */
const backends = { SLUICE_TEST_REDIS_URL: startRedis, SLUICE_TEST_MONGODB_URI: startMongo };
for (const [variable, start] of Object.entries(backends)) await startOrMiss(variable, start);

// An interrupted run takes its children with it: `exit` handlers do, and only a call of exit runs them.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));

const total = { passed: 0, failed: 0, skipped: 0 };
const remarks = new Set<string>();
try {
  for (const [phase, files] of phases()) await runPhase(phase, files);
} finally {
  await Promise.all(running.map((backend) => backend.close()));
}
for (const reason of missing) remarks.add(`not run: ${reason}`);
if (total.passed + total.failed === 0) fail("no test ran");
if (missing.length > 0 && process.env["CI"] === "true") fail("with CI=true every back end is wanted");

console.log(["", ...remarks].join("\n"));
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`);
process.exitCode = total.failed === 0 ? 0 : 1;

async function startOrMiss(variable: string, start: () => Promise<RunningBackend>): Promise<void> {
  try {
    const backend = await start();
    running.push(backend);
    process.env[variable] = backend.url;
    console.log(backend.description);
  } catch (error) {
    if (!(error instanceof BackendMissing)) throw error;
    missing.push(error.message);
    console.log(`not run: ${error.message}`);
  }
}

function pgliteVersion(): string {
  const found = createRequire(import.meta.url)("../node_modules/@electric-sql/pglite/package.json") as {
    readonly version: string;
  };
  return found.version;
}

function phases(): Map<string, string[]> {
  const files = [...testFiles("test"), ...testFiles("connectors")];
  if (flags.fault) return new Map([["fault", files.filter((file) => phaseOf(file) === "fault")]]);
  const found = new Set(files.map(phaseOf));
  const rest = [...found].filter((phase) => !first.includes(phase) && !last.includes(phase)).toSorted();
  const order = [...first, ...rest, ...last].filter((phase) => found.has(phase));
  return new Map(order.map((phase) => [phase, files.filter((file) => phaseOf(file) === phase)]));
}

function testFiles(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts") && !name.includes("node_modules"))
    .map((name) => `${folder}/${name}`)
    .toSorted();
}

/** `test/unit/…` → `unit`; a connector's own tests are unit tests. */
function phaseOf(file: string): string {
  const [top, folder = ""] = file.split("/");
  return top === "connectors" ? "unit" : folder;
}

async function runPhase(phase: string, files: readonly string[]): Promise<void> {
  console.log(`\n=== ${phase}: ${files.length} files ===`);
  const { outcome, problem } = await runFiles(files);
  if (problem !== undefined) fail(`${phase}: ${problem}`);
  total.passed += outcome?.passed ?? 0;
  total.failed += outcome?.failed ?? 0;
  total.skipped += outcome?.skipped ?? 0;
}

function fail(remark: string): void {
  total.failed += 1;
  remarks.add(`failed: ${remark}`);
}

interface Run {
  readonly outcome?: Outcome | undefined;
  /** The process ended before it told an outcome, or did not end afterwards. */
  readonly problem?: string;
}

function runFiles(files: readonly string[]): Promise<Run> {
  const grep = flags.grep === undefined ? [] : ["--grep", flags.grep];
  const child = spawn(process.execPath, [`${root}test/run-files.ts`, ...grep, ...files], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const endWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  let outcome: Outcome | undefined;
  let timer: NodeJS.Timeout | undefined;
  let lingered = false;
  child.on("message", (message: Outcome | NotRun) => {
    if ("notRun" in message) {
      remarks.add(`not run: ${message.notRun}`);
      return;
    }
    outcome = message;
    timer = setTimeout(() => {
      lingered = true;
      child.kill("SIGKILL");
    }, lingerMs);
  });
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      process.off("exit", endWithUs);
      if (!outcome) resolve({ problem: `the test process ended early (${signal ?? `code ${code}`})` });
      else if (lingered) resolve({ outcome, problem: "a test left something running, the process did not end" });
      else resolve({ outcome });
    });
  });
}
