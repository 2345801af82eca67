#!/usr/bin/env node
// Finds Node 24 and starts src/cli. Plain JavaScript that any Node from 18 up can run: an older one starts the project's
// own Node 24 (an optional dependency, see scripts/project-node.cjs) with the same arguments and hands signals and the
// exit code through.
import { spawn } from "node:child_process";
import nodeModule, { createRequire } from "node:module";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const wanted = 24;
const running = Number(process.versions.node.split(".")[0]);

if (running >= wanted) await start();
else startUnderProjectNode();

async function start() {
  hideKnownWarnings();
  // In the project's own folder: a cache in the shared temporary folder could be somebody else's code.
  nodeModule.enableCompileCache?.(fileURLToPath(new URL("../node_modules/.cache/compile", import.meta.url)));
  await import("../src/cli/main.ts");
}

/** Early Node 24 announces these two, which Sluice is built on; every other warning is shown. */
function hideKnownWarnings() {
  const emit = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    const [options] = rest;
    const type = typeof options === "object" ? options?.type : options;
    if (type === "ExperimentalWarning" && /^(SQLite|Type Stripping) /.test(String(warning))) return;
    emit.call(process, warning, ...rest);
  };
}

function startUnderProjectNode() {
  const binary = createRequire(import.meta.url)("../scripts/project-node.cjs").projectNode();
  if (binary === undefined) {
    console.error(
      `sluice: needs Node ${wanted}, this is ${process.versions.node}, and the project's own is not installed.\n` +
        `fix: run "npm ci" in the project's folder (without --omit=optional), or install Node ${wanted} from https://nodejs.org`,
    );
    process.exitCode = 2;
    return;
  }
  console.error(`sluice: Node ${process.versions.node} is too old, starting the project's own Node ${wanted}`);
  const child = spawn(binary, [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) {
    // A terminal sends its signals to the child as well.
    process.on(signal, () => (signal === "SIGTERM" || !process.stdin.isTTY ? child.kill(signal) : undefined));
  }
  child.on("error", (error) => {
    console.error(`sluice: ${binary} could not be started (${error.code})\nfix: run "npm ci" again`);
    process.exitCode = 2;
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal ?? "SIGKILL"] ?? 9)));
}
