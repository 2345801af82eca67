// The command line: what each command is called and takes. A command's own code is imported only when it runs.
import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { isJsonObject, parseJson } from "../core/json.ts";
import { endedStates, openStates } from "../core/records.ts";
import { exitCodes, failure } from "./output.ts";

const program = new Command("sluice");
let code: number = exitCodes.done;

program
  .description(
    "Integration gateway between CRMs and EHRs: nothing leaves unless every gate is open and it is on record.",
  )
  .version(version(), "--version")
  .option("--config <dir>", "configuration directory", "config")
  .option(
    "--data <dir>",
    "data directory of the embedded profile; in production, of the mirrored audit head",
    ".sluice",
  )
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError("run `npx sluice --help` for what there is")
  .exitOverride();

/** What commander has read by the declarations below: their names and kinds are those that the command takes. */
type Read = never;

/** Runs a command's function with its own and the global options, and keeps its exit code. */
function action(run: (options: Read, ...names: string[]) => Promise<number>) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    code = await run(command.optsWithGlobals<Read>(), ...command.args);
  };
}

function version(): string {
  const pack = parseJson(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return isJsonObject(pack) && typeof pack["version"] === "string" ? pack["version"] : "unknown";
}

function logLevel(level: string): Option {
  return new Option("--log-level <level>", "how much is logged")
    .choices(["debug", "info", "warn", "error", "silent"])
    .default(level);
}

const auditKinds = ["disclosure", "query", "outcome", "denial", "failure", "access", "administration"];

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("a whole number above 0 is wanted");
  return value;
}

program
  .command("demo")
  .description("run a synthetic practice through every gate, both ways, against sandboxes on this machine")
  .option("--patients <n>", "persons in the practice", count, 50)
  .option("--seed <n>", "seed of the practice", count, 20_261_125)
  .option("--keep", "leave everything running and print the addresses")
  .addOption(logLevel("error"))
  .action(action(async (options) => (await import("./demo.ts")).demo(options)));

program
  .command("up")
  .description("run gateway and worker in one process")
  .option("--listen <host:port>", "where notices and health checks come in", "127.0.0.1:8380")
  .addOption(logLevel("info"))
  .action(action(async (options) => (await import("./up.ts")).up(options)));

program
  .command("serve")
  .description("production profile: the gateway; takes notices in, runs nothing")
  .option("--listen <host:port>", "where notices and health checks come in", "127.0.0.1:8380")
  .addOption(logLevel("info"))
  .action(action(async (options) => (await import("./process.ts")).serve(options)));

program
  .command("worker")
  .description("production profile: a worker; polls the systems and runs the exchanges")
  .option("--listen <host:port>", "where health checks and metrics are asked for", "127.0.0.1:8381")
  .option("--concurrency <n>", "persons whose exchanges run at once", count, 16)
  .addOption(logLevel("info"))
  .action(action(async (options) => (await import("./process.ts")).worker(options)));

program
  .command("init")
  .description("make the keys of a new deployment")
  .action(action(async (options) => (await import("./init.ts")).init(options)));

program
  .command("check")
  .description("check all of the configuration and print what may go where")
  .option("--json", "as data")
  .option("--write-schemas", "also write the JSON Schemas for editors")
  .action(action(async (options) => (await import("./check-command.ts")).check(options)));

program
  .command("activate")
  .description("store the configuration under its hash and make it current")
  .option("--reason <text>", "goes on record")
  .action(action(async (options) => (await import("./activate.ts")).activate(options)));

program
  .command("migrate")
  .description("move the deployment of --data to the production profile; can be run again until it is complete")
  .addOption(new Option("--to <profile>", "where to").choices(["production"]).makeOptionMandatory())
  .option("--json", "as data")
  .action(action(async (options) => (await import("./migrate.ts")).migrate(options)));

program
  .command("explain")
  .description("dry run of one record: each gate with its rule, what would leave, what would be written")
  .requiredOption("--channel <id>", "channel")
  .option("--record <file>", "a CRM record or FHIR resource, - for standard input; calls no system")
  .option("--id <record>", "a live record of the channel's source; reads only")
  .option("--type <type>", "its type in the source's own words")
  .option("--at <time>", "decide as of this time")
  .option("--reveal", "show values of production systems; needs --reason")
  .option("--reason <text>", "goes on record")
  .option("--json", "as data")
  .action(action(async (options) => (await import("./explain.ts")).explain(options)));

program
  .command("doctor")
  .description("find what is wrong and say the fix")
  .option("--json", "as data")
  .action(action(async (options) => (await import("./doctor.ts")).doctor(options)));

const exchanges = program.command("exchanges").description("the ledger and its quarantine");
exchanges
  .command("list")
  .description("counts by channel and state, and what needs a person; with --state the exchanges themselves")
  .option("--channel <id>", "only this channel")
  .addOption(
    new Option("--state <state>", "list the exchanges in this state").choices([
      ...openStates,
      ...endedStates,
      "quarantined",
    ]),
  )
  .option("--limit <n>", "at most", count, 50)
  .option("--json", "as data")
  .action(action(async (options) => (await import("./exchanges.ts")).list(options)));
exchanges
  .command("show <exchange>")
  .description("one exchange: its state, its cause, the fix")
  .option("--json", "as data")
  .action(action(async (options, id = "") => (await import("./exchanges.ts")).show(options, id)));
for (const [name, what] of [
  ["retry", "run quarantined exchanges again, against what the source holds now"],
  ["cancel", "end queued or quarantined exchanges; needs --reason"],
] as const) {
  exchanges
    .command(name)
    .description(what)
    .option("--id <exchange>", "one exchange")
    .option("--group <group>", "all members of an item")
    .option("--reason <text>", "goes on record")
    .action(action(async (options) => (await import("./exchanges.ts"))[name](options)));
}

program
  .command("why")
  .description("why did this record not sync?")
  .requiredOption("--system <id>", "system")
  .requiredOption("--id <record>", "the record's id there")
  .option("--json", "as data")
  .action(action(async (options) => (await import("./why.ts")).why(options)));

program
  .command("backfill")
  .description("accept every record of a channel's source once more, behind live work")
  .requiredOption("--channel <id>", "channel")
  .option("--reason <text>", "goes on record")
  .action(action(async (options) => (await import("./backfill.ts")).backfill(options)));

const systems = program
  .command("systems")
  .description("each system: who works with it, its limits, why it is left alone for now, and what to do")
  .option("--json", "as data")
  .action(action(async (options) => (await import("./systems.ts")).systems(options)));
systems
  .command("resume <system>")
  .description("end a pause, a wait that the system asked for, or an open circuit")
  .option("--reason <text>", "goes on record")
  .action(action(async (options, id = "") => (await import("./systems.ts")).resume(options, id)));

const brake = program.command("brake").description("channels that stopped because they would do too much at once");
brake
  .command("list")
  .description("what each channel did in the last hour, its limits, and which channels are stopped")
  .option("--json", "as data")
  .action(action(async (options) => (await import("./brake.ts")).list(options)));
brake
  .command("preview")
  .description("what waits behind a stopped channel: records and elements, no values; reads only")
  .requiredOption("--channel <id>", "channel")
  .option("--limit <n>", "look at so many records at most", count, 200)
  .option("--json", "as data")
  .action(action(async (options) => (await import("./brake.ts")).preview(options)));
for (const [name, what] of [
  ["apply", "write what was accepted until now"],
  ["discard", "drop it: both sides stay as they are"],
  ["restore", "drop it, and give the source its values back from the destination"],
] as const) {
  brake
    .command(name)
    .description(`${what}; needs --reason`)
    .requiredOption("--channel <id>", "channel")
    .option("--reason <text>", "goes on record")
    .action(action(async (options) => (await import("./brake.ts"))[name](options)));
}

const audit = program.command("audit").description("the audit log");
audit
  .command("verify")
  .description("is the log whole? names the batch or entry that is not")
  .option("--json", "as data")
  .action(action(async (options) => (await import("./audit.ts")).verify(options)));
audit
  .command("search")
  .description("entries as JSON lines, oldest first")
  .option("--exchange <id>", "of one exchange")
  .option("--channel <id>", "of one channel")
  .addOption(new Option("--kind <kind>", "of one kind").choices(auditKinds))
  .option("--system <id>", "with --id: about the person of this record")
  .option("--id <record>", "the record's id at --system")
  .option("--since <time>", "from this time on")
  .option("--until <time>", "up to this time")
  .option("--open", "open the sealed parts; needs --reason")
  .option("--reason <text>", "goes on record")
  .option("--limit <n>", "at most", count, 1000)
  .action(action(async (options) => (await import("./audit.ts")).search(options)));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) code = error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  else code = failure(error);
}
process.exitCode = code;
