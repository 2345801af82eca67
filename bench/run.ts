// `npm run bench`: speed as ratios to a named baseline measured in the same run (docs/performance.md explains them).
// `--quick`: fewer persons and rounds; `--only=pipeline` or `--only=conversion`: one of the two; `--verbs`: store calls too.
import Table from "cli-table3";
import { conversionNames, measureConversion, type ConversionReport } from "./conversion.ts";
import { machineFacts } from "./machine.ts";
import { measurePipeline, pipelineNames, type PipelineReport } from "./pipeline.ts";

const quick = process.argv.includes("--quick");
const only = process.argv.find((one) => one.startsWith("--only="))?.slice("--only=".length);

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const table = new Table({ head: [...head], style: { head: [], border: [] } });
  table.push(...rows.map((row) => [...row]));
  console.log(table.toString());
}

function printPipeline({ measured, exchanges, requests, writesEach, callsEach, verbs }: PipelineReport): void {
  const { pipeline, baseline, empty } = pipelineNames;
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
  if (!process.argv.includes("--verbs")) return;
  printTable(
    ["store call", "an exchange", "characters"],
    verbs.map(({ name, each, size }) => [name, each.toFixed(2), size.toFixed(0)]),
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

const facts = machineFacts();
if (only !== "pipeline")
  printConversion(await measureConversion(quick ? { rounds: 5, loops: 40 } : { rounds: 11, loops: 150 }));
if (only !== "conversion") {
  const size = quick ? { patients: 60, most: 40, rounds: 3 } : { patients: 250, most: 150, rounds: 7 };
  printPipeline(await measurePipeline({ ...size, concurrency: 16, tell }));
}
console.log(facts);
