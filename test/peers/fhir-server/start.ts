// Starts the project's own real FHIR R4 server (HAPI FHIR, empty, in memory) for tests, or says what is missing for it.
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { BackendMissing, install, mayInstall, startOrSkip } from "../../backends/backend.ts";
import { runCommand } from "../../backends/command.ts";

export interface FhirServerOptions {
  /** The bearer token that it wants; absent = none. */
  readonly token?: string;
  /** A stale If-Match is answered with 412, not with HAPI's own 409. */
  readonly preconditionFailed?: boolean;
}

export interface FhirServer {
  /** Base URL, `http://127.0.0.1:PORT/fhir`. */
  readonly url: string;
  close(): Promise<void>;
}

const program = fileURLToPath(new URL("run.sh", import.meta.url));

/**
 * Takes 10 to 20 s, the first time minutes (it is built, and 337 MB of jars are fetched), and 0.8 GB of memory. Rejects
 * with BackendMissing when Java 17 or Maven is not there, and when the build fails.
 */
export async function startFhirServer(options: FhirServerOptions = {}): Promise<FhirServer> {
  await wantJavaAndMaven();
  const properties = [
    "-Dport=0",
    ...(options.token === undefined ? [] : [`-Dtoken=${options.token}`]),
    ...(options.preconditionFailed ? ["-DpreconditionFailed=true"] : []),
  ];
  // A process group of its own, so that an aborted build ends with all that it started.
  const child = spawn("bash", [program, ...properties], { stdio: ["ignore", "pipe", "inherit"], detached: true });
  const endWithUs = (): void => kill(child, "SIGKILL");
  process.once("exit", endWithUs);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const close = async (): Promise<void> => {
    process.off("exit", endWithUs);
    kill(child, "SIGTERM");
    await ended;
  };
  try {
    return { url: await announcedUrl(child), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * The server of a test file, to be awaited in a `before` hook. Skips the suite, saying so, when it cannot be started, or
 * when it was never built and nobody asked for that (`--peers`; CI=true asks, and then a failure to start is one).
 */
export async function fhirServerForTests(hook: Mocha.Context, options: FhirServerOptions = {}): Promise<FhirServer> {
  hook.timeout(900_000);
  return startOrSkip(hook, async () => {
    const asked = process.env["SLUICE_TEST_PEERS"] === "true" || process.env["CI"] === "true";
    if (asked || (await runCommand("bash", [program, "--built"])).code === 0) return startFhirServer(options);
    throw new BackendMissing(
      "FHIR server: it is not built yet (337 MB of jars). Build and use it by: npm test -- --peers",
    );
  });
}

async function wantJavaAndMaven(): Promise<void> {
  if (await hasJavaAndMaven()) return;
  if (mayInstall()) await install("default-jdk-headless", "maven");
  if (await hasJavaAndMaven()) return;
  throw new BackendMissing(
    "FHIR server: Java 17 or later and Maven are wanted. Add them by: apt-get install -y default-jdk-headless maven" +
      "   (or, as root, npm test -- --peers --install)",
  );
}

async function hasJavaAndMaven(): Promise<boolean> {
  const [java, maven] = await Promise.all([runCommand("javac", ["-version"]), runCommand("mvn", ["--version"])]);
  return Number(/^javac (\d+)/m.exec(java.output)?.[1] ?? 0) >= 17 && maven.code === 0;
}

function announcedUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => {
      reject(
        new BackendMissing(`FHIR server: it ended with code ${code}; what it said is above. Try: bash ${program}`),
      );
    });
    if (!child.stdout) return;
    createInterface(child.stdout).on("line", (line) => {
      const url = /^FHIR_SERVER (\S+)$/.exec(line)?.[1];
      if (url) resolve(url);
    });
  });
}

/** The whole group; nothing when it has ended already. */
function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, signal);
}
