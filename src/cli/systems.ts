// `sluice systems`: each system with its limits, who works with it, why it is left alone for now, and what to do. `resume`
// ends a wait by a person's word.
import { instant, systemClock } from "../core/clock.ts";
import { SluiceError } from "../core/errors.ts";
import { putOnRecord } from "../exchange/administer.ts";
import { reportOn, resume as resumeSystem, type SystemReport } from "../exchange/governor/report.ts";
import { operator } from "./operator.ts";
import { openConfiguration, openLedger, type Place } from "./open.ts";
import { exitCodes, print, printJson, table, tell } from "./output.ts";

export async function systems(options: Place & { readonly json?: boolean }): Promise<number> {
  const { configuration } = await openConfiguration(options.config, { secrets: "lenient", quiet: true });
  const store = await openLedger(options);
  try {
    const reports = await reportOn(store, configuration, systemClock.now());
    if (options.json) for (const report of reports) printJson(report);
    else show(reports);
    return reports.every((report) => report.todo === undefined) ? exitCodes.done : exitCodes.refused;
  } finally {
    await store.close();
  }
}

function show(reports: readonly SystemReport[]): void {
  const head = ["system", "environment", "identity", "state", "places held", "requests today"];
  print(
    table(
      head,
      reports.map((report) => [
        report.system,
        report.environment,
        report.identity,
        report.paused ? "paused" : report.state,
        placesOf(report),
        requestsOf(report),
      ]),
    ),
  );
  for (const report of reports) if (report.todo !== undefined) print(describe(report));
}

function placesOf({ processes, concurrency }: SystemReport): string {
  const held = processes.reduce((sum, process) => sum + process.granted, 0);
  const each = processes.map((process) => `${process.granted} (asks ${process.demand})`).join(" + ");
  return `${held} of ${concurrency}${each ? `: ${each}` : ""}`;
}

function requestsOf({ quota }: SystemReport): string {
  const own = quota.limit === undefined ? `${quota.used}` : `${quota.used} of ${quota.limit}`;
  return quota.vendor ? `${own} (vendor counts ${quota.vendor.used} of ${quota.vendor.limit})` : own;
}

function describe(report: SystemReport): string {
  const { paused, state, until, failures } = report;
  const lines: [string, string | undefined][] = [
    ["paused", paused && `since ${instant(paused.since)}: ${paused.cause}`],
    ["state", paused ? undefined : state],
    ["until", until > 0 ? instant(until) : undefined],
    ["failures", failures > 0 ? `${failures} one after the other` : undefined],
    ["what to do", report.todo],
  ];
  const shown = lines.filter(([, value]) => value !== undefined);
  return `\n${report.system}\n${shown.map(([name, value]) => `  ${name.padEnd(12)}${value ?? ""}`).join("\n")}`;
}

export interface ResumeOptions extends Place {
  readonly reason?: string;
}

export async function resume(options: ResumeOptions, system: string): Promise<number> {
  const { configuration } = await openConfiguration(options.config, { secrets: "lenient", quiet: true });
  if (!configuration.systems.has(system)) {
    const hint = `systems: ${[...configuration.systems.keys()].join(", ")}`;
    throw new SluiceError("usage-wrong", `there is no system "${system}"`, { hint });
  }
  if (!options.reason) {
    throw new SluiceError("usage-wrong", "to resume a system needs a reason", {
      hint: "give it with --reason TEXT: it goes on record",
    });
  }
  const store = await openLedger(options);
  try {
    await putOnRecord(store, { actor: operator(), action: `systems resume ${system}`, reason: options.reason });
    const isResumed = await resumeSystem(store, system);
    tell(
      isResumed
        ? `${system} is called again; running processes hear of it within a second`
        : "nothing to do: it is called",
    );
    return isResumed ? exitCodes.done : exitCodes.refused;
  } finally {
    await store.close();
  }
}
