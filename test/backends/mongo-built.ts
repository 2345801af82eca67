// The private MongoDB-wire server of `mongo-server/`: builds it once into the user's cache, and runs its two processes,
// PostgreSQL and in front of it FerretDB, on ports and in a folder of their own.
import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, chmodSync, chownSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BackendMissing, eventually, mayFetch } from "./backend.ts";
import { runCommand, works } from "./command.ts";
import { freePort } from "./port.ts";

const sources = fileURLToPath(new URL("mongo-server/", import.meta.url));
const isRoot = process.getuid?.() === 0;
/** PostgreSQL refuses root: then it runs as nobody, who must be able to reach what it uses. */
const nobody: SpawnOptions = isRoot ? { uid: 65534, gid: 65534 } : {};
const cache = isRoot ? "/var/tmp" : (process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"));

/**
 * The folder that it is built in; built first (20 to 120 s) if that was asked for by CI=true or `--install`. Undefined: not
 * asked for, or no Debian. Rejects with BackendMissing when building fails.
 */
export async function builtServer(): Promise<string | undefined> {
  const folder = join(cache, `sluice-mongo-${stateOfSources()}`);
  if (existsSync(join(folder, "built"))) return folder;
  if (!mayFetch() || !(await works("apt-get", "--version"))) return undefined;
  console.error(`building the tests' MongoDB-wire server into ${folder}`);
  const { code, output } = await runCommand("bash", [join(sources, "build.sh"), folder]);
  if (code === 0) return folder;
  throw new BackendMissing(
    `MongoDB: the server for tests could not be built.\n${output.split("\n").slice(-20).join("\n")}`,
  );
}

function stateOfSources(): string {
  const hash = createHash("sha256");
  for (const name of ["build.sh", "main.go", "go.mod", "go.sum"]) hash.update(readFileSync(join(sources, name)));
  return hash.digest("hex").slice(0, 12);
}

export interface BuiltServer {
  start(): Promise<void>;
  /** SIGKILL to every process of it. */
  kill(): Promise<void>;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

/** Starts one on 127.0.0.1:`port`. */
export async function startBuilt(folder: string, port: number): Promise<BuiltServer> {
  const home = await mkdtemp(join(isRoot ? "/var/tmp" : tmpdir(), "sluice-mongo-run-"));
  if (isRoot) chownSync(home, 65534, 65534);
  const server = new TwoProcesses(folder, home, port);
  try {
    await server.prepare();
    await server.start();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

const settings = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
cron.use_background_workers = on
cron.log_run = off
cron.log_statement = off
max_connections = 200
max_worker_processes = 16
jit = off
log_min_messages = warning
`;

class TwoProcesses implements BuiltServer {
  readonly #folder: string;
  readonly #home: string;
  readonly #port: number;
  #running: readonly ChildProcess[] = [];
  readonly #endWithUs = (): void => {
    // FerretDB ends by itself when its standard input does; SIGQUIT ends PostgreSQL with all its children.
    for (const child of this.#running) child.kill("SIGQUIT");
  };

  constructor(folder: string, home: string, port: number) {
    this.#folder = folder;
    this.#home = home;
    this.#port = port;
  }

  /** Makes an empty database: 1 s. */
  async prepare(): Promise<void> {
    const made = [
      "-U",
      "postgres",
      "-A",
      "trust",
      "-E",
      "UTF8",
      "--locale-provider=builtin",
      "--locale=C.UTF-8",
      "--no-sync",
    ];
    await this.#once("initdb", ["-D", this.#data, ...made]);
    appendFileSync(join(this.#data, "postgresql.conf"), settings);
    await this.#once("postgres", ["--single", "-D", this.#data, "postgres"], "create extension documentdb cascade\n");
    const state = join(this.#home, "state");
    mkdirSync(state);
    chmodSync(state, 0o777);
  }

  async start(): Promise<void> {
    process.once("exit", this.#endWithUs);
    const under = await freePort();
    const postgres = this.#spawn(this.#program("postgres"), ["-D", this.#data, "-p", String(under)]);
    this.#running = [postgres];
    await eventually(() => this.#isReady(postgres), 600);
    const address = `postgres://postgres@127.0.0.1:${under}/postgres?pool_max_conns=60`;
    const listen = `127.0.0.1:${this.#port}`;
    const args = [
      "-postgres",
      address,
      "-listen",
      listen,
      "-state",
      join(this.#home, "state"),
      "-owned",
      String(postgres.pid),
    ];
    this.#running = [postgres, this.#spawn(join(this.#folder, "mongo"), args)];
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async close(): Promise<void> {
    await this.#end("SIGQUIT");
    await rm(this.#home, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.#home, "data");
  }

  #program(name: string): string {
    return join(this.#folder, "usr/lib/postgresql/18/bin", name);
  }

  /** Each in a process group of its own, so that ^C reaches the test process only, which ends them. */
  #spawn(program: string, args: readonly string[]): ChildProcess {
    const log = openSync(join(this.#home, "log"), "a");
    const env = { ...process.env, DO_NOT_TRACK: "1" };
    return spawn(program, args, { ...nobody, env, cwd: this.#home, detached: true, stdio: ["pipe", log, log] });
  }

  async #once(name: string, args: readonly string[], input = ""): Promise<void> {
    const child = this.#spawn(this.#program(name), args);
    child.stdin?.end(input);
    const code = await new Promise((resolve) => child.once("exit", resolve));
    if (code !== 0) throw new Error(`${name} failed:\n${this.#logEnd()}`);
  }

  /** PostgreSQL says so in the last line of a file that begins with its process id. */
  async #isReady(postgres: ChildProcess): Promise<void> {
    if (postgres.exitCode !== null) throw new Error(`PostgreSQL ended:\n${this.#logEnd()}`);
    const lines = readFileSync(join(this.#data, "postmaster.pid"), "utf8").split("\n");
    if (lines[0] !== String(postgres.pid) || lines[7]?.trim() !== "ready") throw new Error("PostgreSQL is not ready");
  }

  #logEnd(): string {
    return readFileSync(join(this.#home, "log"), "utf8").split("\n").slice(-12).join("\n");
  }

  async #end(signal: "SIGKILL" | "SIGQUIT"): Promise<void> {
    process.off("exit", this.#endWithUs);
    const running = this.#running;
    this.#running = [];
    const ended = running.map(
      (child) => new Promise<void>((resolve) => (isOver(child) ? resolve() : child.once("exit", () => resolve()))),
    );
    const below = signal === "SIGKILL" ? running.flatMap(childrenOf) : [];
    // FerretDB first: what it asked for and was not answered stays unanswered.
    for (const child of running.toReversed()) child.kill(signal);
    for (const pid of below) killQuietly(pid);
    await Promise.all(ended);
  }
}

function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** PostgreSQL's children leave its process group. */
function childrenOf({ pid }: ChildProcess): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
