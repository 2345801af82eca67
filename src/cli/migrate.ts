// `sluice migrate --to production`: copies a deployment of the embedded profile into MongoDB, compares both sides, and says
// how to switch. It can be run again at any time: it goes on where it was, and changes nothing once all is there.
import { existsSync } from "node:fs";
import cliProgress from "cli-progress";
import { SluiceError } from "../core/errors.ts";
import { hasLedger } from "../embedded.ts";
import { migrateToProduction, type Move, type Progress } from "../migrate.ts";
import { readProductionPlaces } from "../settings/deployment.ts";
import { openConfiguration, openKeys, type Place } from "./open.ts";
import { operator } from "./operator.ts";
import { exitCodes, print, printJson, table } from "./output.ts";

export interface MigrateCommand extends Place {
  readonly json?: boolean;
}

export async function migrate(options: MigrateCommand): Promise<number> {
  const { config, data, json } = options;
  if (!existsSync(data) || !hasLedger(data)) {
    throw new SluiceError("usage-wrong", `there is no ledger under ${data}`, {
      hint: "give the data directory of `sluice up` with --data DIR",
    });
  }
  const places = await readProductionPlaces(config);
  const keys = await openKeys(config, await openConfiguration(config, { secrets: "lenient", quiet: true }));
  const bars = new Bars();
  let move: Move;
  try {
    move = await migrateToProduction({
      data,
      places,
      keys,
      actor: operator(),
      progress: (progress) => {
        bars.show(progress);
      },
    });
  } finally {
    bars.stop();
  }
  if (json) printJson({ database: places.prefix, ...move });
  else report(move, places.prefix, data);
  return exitCodes.done;
}

function report({ already, head, collections }: Move, database: string, data: string): void {
  if (already) print(`This deployment is in the database "${database}" already; nothing was changed.`);
  else {
    const rows = collections.map((one) => [one.collection, one.documents, one.hash.slice(0, 16)]);
    print(table(["collection", "documents, the same on both sides", "content"], rows));
    print(`audit log whole on both sides: ${head.n} batches, head ${head.hash}`);
  }
  print(
    [
      "",
      "Now switch:",
      "  1. in sluice.yaml set `profile: production`",
      "  2. npx sluice activate",
      "  3. start `npx sluice serve` and `npx sluice worker`, each with a --data directory of its own machine",
      "  4. npx sluice doctor",
      "",
      `${data} is an archive from now on: keep it, do not write to it. \`sluice up\` refuses it.`,
      "As long as no process of the production profile has run, there is a way back: docs/migrate.md",
    ].join("\n"),
  );
}

const words = { copy: "copying  ", compare: "comparing" } as const;

/** One bar for each step; without a terminal a line each three seconds. */
class Bars {
  #bar: cliProgress.SingleBar | undefined;
  #step: Progress["step"] | undefined;

  show({ step, collection, done, total }: Progress): void {
    if (step !== this.#step) this.#start(step, total);
    this.#bar?.update(done, { collection });
  }

  stop(): void {
    this.#bar?.stop();
  }

  #start(step: Progress["step"], total: number): void {
    this.stop();
    this.#step = step;
    const format = `${words[step]} {bar} {value}/{total} documents ({collection})`;
    const where = { stream: process.stderr, noTTYOutput: true, notTTYSchedule: 3_000, hideCursor: true };
    this.#bar = new cliProgress.SingleBar({ format, ...where }, cliProgress.Presets.shades_classic);
    this.#bar.start(total, 0, { collection: "" });
  }
}
