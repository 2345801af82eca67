// What every fault run must come to, and the size that was asked for.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { runFaults, type FaultRunOptions, type FaultRunResult } from "./fault-run.ts";
import { violations } from "./invariants.ts";
import { plants } from "./planted.ts";
import { table } from "./report.ts";

/** `npm run test:fault` */
export const isFull = process.env["SLUICE_FAULT"] === "full";
export const limitMs = isFull ? 3_600_000 : 900_000;

const given = process.env["SLUICE_FAULT_SEED"];
export const randomSeed = given === undefined ? randomInt(1_000_000) : Number(given);

/** Whether `--profile` asks for runs of this one. */
export function isWanted(profile: "embedded" | "production"): boolean {
  const wanted = process.env["SLUICE_FAULT_PROFILE"] ?? "both";
  return wanted === "both" || wanted === profile;
}

export async function holds(options: FaultRunOptions, print: boolean): Promise<FaultRunResult> {
  const { seed, patients, profile } = options;
  const result = await runFaults(options);
  if (print) console.log(`${table(result.report, `${profile.name}, seed ${seed}: ${patients} patients`)}\n`);
  assert.deepEqual(
    violations(result.snapshot, result.expected),
    [],
    `seed ${seed}, directory ${result.directory}, repeat: SLUICE_FAULT_SEED=${seed}`,
  );
  assert.ok(result.report.takenOver > 0, "no drainer that was held lost its lane: the stalls did not happen");
  assert.ok(
    !Object.keys(result.report.states).some((state) => state.includes(" quarantined ")),
    "something waits for a person",
  );
  assert.ok(result.report.notices > 0, "no notice was acknowledged");
  return result;
}

/** Each check finds the fault that is planted in a copy of a good run. */
export function wouldNotice(last: () => FaultRunResult | undefined): void {
  for (const [name, { plant, notice }] of Object.entries(plants)) {
    it(name, function () {
      const result = last();
      if (!result) return this.skip();
      const found = violations(plant(result.snapshot), result.expected);
      assert.ok(
        found.some((one) => notice.test(one)),
        `planted, but found only: ${found.slice(0, 5).join("; ") || "nothing"}`,
      );
    });
  }
}
