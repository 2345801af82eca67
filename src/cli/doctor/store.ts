// What doctor finds in the ledger, whichever store it is in: keys and data, the audit log, what is active, what is paused,
// stopped, shut, waiting or in quarantine.
import { existsSync } from "node:fs";
import { instant, systemClock } from "../../core/clock.ts";
import type { Keys } from "../../core/configuration.ts";
import type { Opened } from "../../embedded.ts";
import { stoppedChannels } from "../../exchange/brake/state.ts";
import { reportOn } from "../../exchange/governor/report.ts";
import { compareKeys } from "../../exchange/key-check.ts";
import type { MirroredStore } from "../../exchange/ports.ts";
import { verdict, verifyStore } from "../audit.ts";
import { itemsOf } from "../exchanges.ts";
import { attempt, ok, problem, warning, type Finding } from "./finding.ts";

export interface Examined {
  readonly store: MirroredStore;
  readonly opened: Opened | undefined;
  readonly keys: Keys | undefined;
  /** Somebody should be taking work: a gateway runs, or workers do on other machines. */
  readonly atWork: boolean;
}

/** Work that is due for so long, and that nobody takes, is nobody's. */
const unattendedMs = 2 * 60_000;

export async function storeFindings(examined: Examined): Promise<readonly Finding[]> {
  const { store, opened, keys } = examined;
  const findings: Finding[] = [];
  if (keys) {
    const words = (): string => "belong together";
    await attempt("keys and data", findings, () => compareKeys(store.blobs, keys), words);
  }
  const parts: readonly [string, () => Promise<readonly Finding[]>][] = [
    ["audit log", () => audit(store)],
    ["configuration", () => active(store, opened)],
    ["systems", () => systems(store, opened)],
    ["brake", () => brakes(store)],
    ["work", () => unattended(examined)],
    ["quarantine", () => quarantine(store)],
  ];
  for (const [check, part] of parts) findings.push(...((await attempt(check, findings, part)) ?? []));
  return findings;
}

async function audit(store: MirroredStore): Promise<readonly Finding[]> {
  const result = await verifyStore(store);
  const text = verdict(result);
  const whole = result.ok
    ? ok("audit log", text)
    : problem("audit log", text, "keep the data as it is, tell the privacy officer, compare with the last back-up");
  if (result.entries === 0 || existsSync(store.mirrorPath)) return [whole];
  const fix = "a running process writes it within a second of the first entry; else restore it from the back-up";
  return [whole, warning("audit mirror", `there is none at ${store.mirrorPath}`, fix)];
}

async function active({ versions }: MirroredStore, opened: Opened | undefined): Promise<readonly Finding[]> {
  const current = await versions.current();
  const check = "configuration";
  if (current === undefined) return [warning(check, "none is active", "`npx sluice activate`")];
  if (!opened || current === opened.configuration.hash) return [];
  return [warning(check, "config/ differs from what is active", "`npx sluice activate`, then restart")];
}

async function systems(store: MirroredStore, opened: Opened | undefined): Promise<readonly Finding[]> {
  const reports = opened ? await reportOn(store, opened.configuration, systemClock.now()) : [];
  return reports.flatMap(({ system, paused, state, until, failures, todo }) => {
    if (todo === undefined) return [];
    const check = `system ${system}`;
    if (paused) return [problem(check, `paused since ${instant(paused.since)}: ${paused.cause}`, todo)];
    if (state === "called") return [problem(check, "another identity is bound than its file says", todo)];
    const since = failures > 0 ? `, after ${failures} failures one after the other` : "";
    const text = `nothing is sent to it: ${state}${until > 0 ? ` until ${instant(until)}` : ""}${since}`;
    return [state === "unreadable" ? problem(check, text, todo) : warning(check, text, todo)];
  });
}

async function brakes(store: MirroredStore): Promise<readonly Finding[]> {
  return (await stoppedChannels(store)).map(({ channel, kind, count, limit, since }) => {
    const text = `stopped since ${instant(since)}: ${count} ${kind} within an hour, the limit is ${limit}`;
    const fix = `\`npx sluice brake preview --channel ${channel}\`, then apply, discard or restore`;
    return problem(`channel ${channel}`, text, fix);
  });
}

/** What tells of workers that are gone: processes do not sign in anywhere, but work that is due is taken within seconds. */
async function unattended({ store, opened, atWork }: Examined): Promise<readonly Finding[]> {
  const due = await store.ledger.due(systemClock.now() - unattendedMs, 100, await standing(store, opened));
  if (due.length === 0) return [];
  const lanes = due.length === 100 ? "100 or more" : String(due.length);
  const text = `${lanes} lanes have had work to do for two minutes and more, and nobody takes it`;
  if (!atWork) return [ok("work", `${text}: no gateway runs`)];
  return [
    warning("work", text, "see that a worker runs with the active configuration and is not stopped or overloaded"),
  ];
}

/** Channels that do not run at the moment, for a reason that is another finding. */
async function standing(store: MirroredStore, opened: Opened | undefined): Promise<readonly string[]> {
  const channels = (await stoppedChannels(store)).map(({ channel }) => channel);
  for (const { id, from, to } of opened?.configuration.channels.values() ?? []) {
    const states = await Promise.all([from, to].map((system) => store.systems.get(system)));
    if (states.some(({ paused }) => paused !== undefined)) channels.push(id);
  }
  return channels;
}

async function quarantine(store: MirroredStore): Promise<readonly Finding[]> {
  const items = await itemsOf(store, systemClock.now());
  return items.map(({ members, text, owner, fix }) => warning("quarantine", `${members} × ${text} (${owner})`, fix));
}
