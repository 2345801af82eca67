import { runFaults } from "./fault-run.ts";
import { violations } from "./invariants.ts";
const [seed = "1", patients = "20", kills = "10", stalls = "3", redis] = process.argv.slice(2);
const result = await runFaults({
  seed: +seed,
  patients: +patients,
  kills: +kills,
  stalls: +stalls,
  ...(redis ? { redis, flushes: 2 } : {}),
});
console.log(JSON.stringify(result.report, null, 1));
const found = violations(result.snapshot, result.expected);
console.log("VIOLATIONS", found.length, found.slice(0, 30));
console.log(result.directory);
process.exit(0);
