// `npm run bench`: speed as ratios to a named baseline measured in the same run (docs/performance.md explains them).
// `--quick`: fewer persons and rounds; `--only=pipeline|conversion|scale`: one of them; `--profile=embedded|production`: the
// pipeline on one profile only; `--verbs`: store calls too.
import Table from "cli-table3";
import { conversionNames, measureConversion, type ConversionReport } from "./conversion.ts";
import { machineFacts } from "./machine.ts";
import { measurePipeline, pipelineNames, type PipelineReport } from "./pipeline.ts";
import { startServers, type ProductionServers } from "./production.ts";
import { measureScale, variantName, variants, type ScaleReport } from "./scale.ts";

const quick = process.argv.includes("--quick");
const only = valueOf("only");
const profile = valueOf("profile");

function valueOf(name: string): string | undefined {
  return process.argv.find((one) => one.startsWith(`--${name}=`))?.slice(`--${name}=`.length);
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const table = new Table({ head: [...head], style: { head: [], border: [] } });
  table.push(...rows.map((row) => [...row]));
  console.log(table.toString());
}

function printPipeline({ measured, profiles }: PipelineReport): void {
  for (const { name, exchanges, requests, writesEach, callsEach, verbs } of profiles) {
    const { pipeline, baseline, empty } = pipelineNames(name);
    console.log(`\nExchanges per second, CRM to EHR, updates of linked persons; ${exchanges} a round`);
    printTable(
      ["", "per second (median)", "pipeline / this (median of rounds)", "goal"],
      [
        [pipeline, measured.median(pipeline).toFixed(0), "", ""],
        [baseline, measured.median(baseline).toFixed(0), measured.ratio(pipeline, baseline).toFixed(2), ">= 0.50"],
        [empty, measured.median(empty).toFixed(0), measured.ratio(pipeline, empty).toFixed(2), "none"],
      ],
    );
    const counts = `${writesEach.toFixed(1)} durable writes of ${callsEach.toFixed(1)} store calls`;
    console.log(`an exchange: ${requests}; ${counts}`);
    if (!process.argv.includes("--verbs")) continue;
    printTable(
      ["store call", "an exchange", "characters"],
      verbs.map((verb) => [verb.name, verb.each.toFixed(2), verb.size.toFixed(0)]),
    );
  }
  const [first, second] = profiles.map(({ name }) => pipelineNames(name).pipeline);
  if (first !== undefined && second !== undefined) {
    console.log(`${second} / ${first}: ${measured.ratio(second, first).toFixed(2)} (median of rounds)`);
  }
}

function printScale({ measured, exchanges, busy }: ScaleReport): void {
  console.log(`\nExchanges per second by number of processes, from notice to end; ${exchanges} a round`);
  const [first] = variants.map(variantName);
  printTable(
    ["", "per second (median)", `this / ${first ?? ""} (median of rounds)`, "processors busy"],
    variants
      .map(variantName)
      .map((name) => [
        name,
        measured.median(name).toFixed(0),
        measured.ratio(name, first ?? "").toFixed(2),
        `${((busy.get(name) ?? 0) * 100).toFixed(0)} %`,
      ]),
  );
}

function printConversion({ measured, pairs, size, changed }: ConversionReport): void {
  const { stages, json } = conversionNames;
  console.log(`\nCPU of one exchange's gates and conversion; ${pairs} pairs, ${size.toFixed(0)} characters each pair`);
  printTable(
    ["", "microseconds (median)", "stages / this (median of rounds)", "goal"],
    [
      [stages, measured.median(stages).toFixed(1), "", ""],
      [json, measured.median(json).toFixed(1), measured.ratio(stages, json).toFixed(1), "<= 10"],
    ],
  );
  console.log(`elements that a plan changes: ${changed.toFixed(1)}`);
}

async function onServers(servers: ProductionServers | undefined): Promise<void> {
  if (servers) console.log(servers.description);
  if (only === undefined || only === "pipeline") {
    const size = quick ? { patients: 60, most: 40, rounds: 3 } : { patients: 250, most: 150, rounds: 7 };
    const profiles = {
      ...(profile !== "production" && { embedded: undefined }),
      ...(servers && profile !== "embedded" && { production: servers.places() }),
    };
    printPipeline(await measurePipeline({ ...size, concurrency: 16, profiles, tell }));
  }
  if (servers && (only === undefined || only === "scale")) {
    const size = quick ? { patients: 60, rounds: 2 } : { patients: 250, rounds: 5 };
    printScale(await measureScale({ ...size, concurrency: 16, places: servers.places(), tell }));
  }
}

const facts = machineFacts();
if (only === undefined || only === "conversion")
  printConversion(await measureConversion(quick ? { rounds: 5, loops: 40 } : { rounds: 11, loops: 150 }));
if (only !== "conversion") {
  const servers = profile === "embedded" ? undefined : await startServers(tell);
  try {
    await onServers(servers);
  } finally {
    await servers?.close();
  }
}
console.log(facts);
