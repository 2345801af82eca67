// `sluice why`: the plain answer to "why did this record not sync?", from the ledger alone.
import { instant } from "../core/clock.ts";
import { SluiceError } from "../core/errors.ts";
import type { Row } from "../exchange/ports.ts";
import { describe } from "./exchanges.ts";
import { openConfiguration, openLedger, type Place } from "./open.ts";
import { exitCodes, print, printJson } from "./output.ts";

export interface WhyOptions extends Place {
  readonly system: string;
  readonly id: string;
  readonly json?: boolean;
}

export async function why(options: WhyOptions): Promise<number> {
  await refuseUnknownSystem(options);
  const store = await openLedger(options);
  try {
    const { system, id } = options;
    const rows = await store.ledger.find({ source: { system, id }, newestFirst: true, limit: 50 });
    if (options.json) {
      for (const row of rows) printJson(row);
      return exitCodes.done;
    }
    if (rows.length === 0) {
      print(`${system}/${id}: no change of this record has been seen.`);
      print(
        "It may not be of a type that a channel carries (`npx sluice check`), may not have changed since the channel began",
      );
      print("(`npx sluice backfill --channel ID` reads everything once), or the id may be another system's.");
      return exitCodes.done;
    }
    for (const row of newestOfEachChannel(rows)) print(`${sentence(row)}\n${indent(describe(row))}\n`);
    return exitCodes.done;
  } finally {
    await store.close();
  }
}

/** A mistyped system would look like a record that nobody has seen. */
async function refuseUnknownSystem({ config, system }: WhyOptions): Promise<void> {
  const opened = await openConfiguration(config, { secrets: "lenient", quiet: true });
  if (opened.configuration.systems.has(system)) return;
  const known = [...opened.configuration.systems.keys()].join(", ");
  throw new SluiceError("usage-wrong", `there is no system "${system}"`, { hint: `systems: ${known}` });
}

function newestOfEachChannel(rows: readonly Row[]): readonly Row[] {
  const seen = new Set<string>();
  return rows.filter((row) => !seen.has(row.channel) && seen.add(row.channel));
}

function sentence(row: Row): string {
  const cause = row.cause === undefined ? "" : ` (${row.cause})`;
  const words: Readonly<Record<Row["state"], string>> = {
    queued:
      row.waitingSince > 0 ? `waits since ${instant(row.waitingSince)} for an answer${cause}` : `is queued${cause}`,
    sending: "is being sent, or its outcome is being read back",
    applied: "was sent; the record of it is being completed",
    done: `reached ${row.intent?.target.system ?? "its destination"}`,
    unchanged: `needed nothing: both sides already hold the same${cause}`,
    superseded: "was replaced by a newer notice of the same record",
    denied: `was denied${cause}: a gate said no; \`npx sluice audit search --exchange ${row.id}\` shows the rule and its citation`,
    cancelled: `was cancelled${cause}`,
    "not-a-visit": "is no visit (or no patient) by the mapping's ignoreWhen",
    quarantined: `needs a person${cause}`,
  };
  return `On channel ${row.channel} this record's newest notice ${words[row.state]}.`;
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}
