// What doctor finds about the data file of the embedded profile.
import type { SqliteFacts } from "../../examine.ts";
import { megabytes, ok, problem, type Finding } from "./finding.ts";

const check = "data file";

export function sqliteFindings(facts: SqliteFacts): readonly Finding[] {
  if (facts.damage !== undefined) {
    const fix = "stop Sluice, keep a copy of the directory as it is, restore the last back-up";
    return [problem(check, `the data file is damaged: ${facts.damage}`, fix)];
  }
  return [
    ok(check, `whole, ${megabytes(facts.bytes)}, SQLite ${facts.version}, tables of version ${facts.schema}`),
    ...(facts.journalMode === "wal"
      ? []
      : [
          problem(
            check,
            `the journal mode is ${facts.journalMode}, not wal`,
            "put --data on a local disk, no network share",
          ),
        ]),
    ...(facts.synchronous ? [] : [problem(check, "commits are not flushed to the disk", "use the SQLite of Node 24")]),
  ];
}
