// `npm run bench`: speed as ratios to a named baseline measured in the same run (docs/performance.md explains them).
import Table from "cli-table3";
import { conversionNames, measureConversion } from "./conversion.ts";
import { machineFacts } from "./machine.ts";
import { measurePipeline, pipelineNames } from "./pipeline.ts";

const quick = process.argv.includes("--quick");
const only = process.argv.find((one) => one.startsWith("--only="))?.slice("--only=".length);

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

const facts = machineFacts();
if (only !== "conversion") {
  const report = await measurePipeline({
    patients: quick ? 60 : 250,
    most: quick ? 40 : 150,
    rounds: quick ? 3 : 7,
    concurrency: 16,
    tell,
  });
  const { measured } = report;
  const table = new Table({ head: ["", "per second, median", "pipeline's ratio", "goal"] });
  const { pipeline, baseline, empty } = pipelineNames;
  table.push(
    [pipeline, measured.median(pipeline).toFixed(0), "1", ""],
    [baseline, measured.median(baseline).toFixed(0), measured.ratio(pipeline, baseline).toFixed(2), "0.50"],
    [empty, measured.median(empty).toFixed(0), measured.ratio(pipeline, empty).toFixed(2), ""],
  );
  console.log(table.toString());
  console.log(report.requests, report.writesEach, report.callsEach);
  console.log(report.verbs);
}
if (only !== "pipeline") {
  const report = await measureConversion({ rounds: quick ? 5 : 11, loops: quick ? 40 : 150 });
  const { measured } = report;
  const { stages, json } = conversionNames;
  console.log(measured.median(stages), measured.median(json), measured.ratio(stages, json), report.pairs, report.size, report.changed);
}
console.log(facts);
