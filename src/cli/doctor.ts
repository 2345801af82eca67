// `sluice doctor`: finds what is wrong with this deployment and says the fix of each finding.
import { existsSync } from "node:fs";
import { stat, statfs } from "node:fs/promises";
import { asSluiceError, type SluiceError } from "../core/errors.ts";
import { systemRandom } from "../core/ids.ts";
import type { Connector } from "../connector/contract.ts";
import { networkFailure } from "../connector/failures.ts";
import { openOutbound } from "../connector/outbound.ts";
import { compareKeys } from "../exchange/key-check.ts";
import { systemClock } from "../core/clock.ts";
import type { Keys, SystemConfig } from "../core/configuration.ts";
import { hasLedger, whoRuns, type Opened } from "../embedded.ts";
import { ConfigurationError } from "../settings/problems.ts";
import { itemsOf } from "./exchanges.ts";
import { openConfiguration, openKeys, openLedger, type Place } from "./open.ts";
import { exitCodes, print, printJson, table } from "./output.ts";
import { verdict, verifyStore } from "./audit.ts";

export interface Finding {
  readonly check: string;
  readonly level: "ok" | "warning" | "problem";
  readonly text: string;
  readonly fix?: string;
}

const leastFreeBytes = 500 * 1024 * 1024;
const mostClockDifferenceMs = 30_000;

export async function doctor(options: Place & { readonly json?: boolean }): Promise<number> {
  const findings = [nodeVersion(), await disk(options.data), ...lock(options.data)];
  const complete = await attempt(
    "configuration",
    findings,
    () => openConfiguration(options.config),
    (one) => `hash ${one.configuration.hash}`,
  );
  // Without some secret the rest can still be looked at.
  const opened = complete ?? (await openConfiguration(options.config, { secrets: "lenient" }).catch(() => undefined));
  const keys =
    opened &&
    (await attempt(
      "keys",
      findings,
      () => openKeys(options.config, opened),
      () => "all there",
    ));
  if (opened && keys)
    for (const system of opened.configuration.systems.values()) findings.push(...(await reach(system, opened, keys)));
  findings.push(...(await ledger(options, opened, keys)));
  if (options.json) printJson(findings);
  else
    print(
      table(
        ["check", "", "finding", "fix"],
        findings.map((one) => [one.check, one.level, one.text, one.fix ?? ""]),
        [22, 10, 58, 58],
      ),
    );
  return findings.some((one) => one.level === "problem") ? exitCodes.refused : exitCodes.done;
}

async function attempt<T>(
  check: string,
  findings: Finding[],
  work: () => Promise<T>,
  words: (result: T) => string,
): Promise<T | undefined> {
  try {
    const result = await work();
    findings.push({ check, level: "ok", text: words(result) });
    return result;
  } catch (error) {
    findings.push(failed(check, asSluiceError(error)));
    return undefined;
  }
}

function failed(check: string, error: SluiceError): Finding {
  const hint = error instanceof ConfigurationError ? "each problem has its hint beside it" : error.detail.hint;
  return { check, level: "problem", text: error.message, ...(hint === undefined ? {} : { fix: hint }) };
}

function nodeVersion(): Finding {
  const major = Number(process.versions.node.split(".")[0]);
  const good = major >= 24;
  const found = { check: "Node", level: good ? "ok" : "problem", text: process.versions.node } as const;
  return good ? found : { ...found, fix: "install Node 24, or run `npm ci`, which brings it" };
}

async function disk(data: string): Promise<Finding> {
  const place = existsSync(data) ? data : ".";
  const { bavail, bsize } = await statfs(place);
  const free = bavail * bsize;
  const words = `${Math.round(free / 1024 / 1024)} MB free under ${place}`;
  if (free >= leastFreeBytes) return { check: "disk", level: "ok", text: words };
  return {
    check: "disk",
    level: "problem",
    text: words,
    fix: "free at least 500 MB: a full disk makes all exchanges wait",
  };
}

function lock(data: string): readonly Finding[] {
  if (!existsSync(data)) {
    return [
      {
        check: "data directory",
        level: "warning",
        text: `${data} does not exist yet`,
        fix: "`npx sluice up` makes it",
      },
    ];
  }
  const running = whoRuns(data);
  return [{ check: "data directory", level: "ok", text: running ?? `${data}; no gateway runs on it` }];
}

async function reach(system: SystemConfig, opened: Opened, keys: Keys): Promise<readonly Finding[]> {
  const check = `system ${system.id}`;
  const module = opened.connectors.get(system.connector);
  if (!module) return [{ check, level: "problem", text: `no connector ${system.connector}` }];
  const origins = module.origins(system.connection);
  const http = openOutbound({ origins, timeoutMs: system.timeoutMs, concurrency: 1, maxBytes: 1024 * 1024 });
  let connector: Connector | undefined;
  try {
    connector = module.open({ system, http, clock: systemClock, random: systemRandom, keys });
    if (module.kind === "recipient") await answersAtAll(origins, http.fetch);
    const identity = await connector.identify();
    const wrong = Object.keys(system.identity).filter((name) => identity[name] !== system.identity[name]);
    if (wrong.length === 0)
      return [
        { check, level: "ok", text: "reachable, and who it should be" },
        ...(await clock(check, origins, http.fetch)),
      ];
    const fix = "if it was moved or refreshed on purpose, set identity in its file; else the address is wrong";
    return [{ check, level: "problem", text: `identity differs: ${wrong.join(", ")}`, fix }];
  } catch (error) {
    return [failed(check, asSluiceError(error))];
  } finally {
    await connector?.close();
    await http.close();
  }
}

/** A recipient cannot be asked who it is; that somebody answers at its address is all that can be seen. */
async function answersAtAll(origins: readonly string[], fetch: typeof globalThis.fetch): Promise<void> {
  const [origin = ""] = origins;
  await fetch(origin, { method: "HEAD" }).catch((error: unknown) => {
    throw networkFailure(error, { unsafe: false });
  });
}

/** The system's Date header against our clock: assertions and signatures allow minutes, cursors rely on seconds. */
async function clock(
  check: string,
  origins: readonly string[],
  fetch: typeof globalThis.fetch,
): Promise<readonly Finding[]> {
  const [origin] = origins;
  const response = origin === undefined ? undefined : await fetch(origin, { method: "HEAD" }).catch(() => undefined);
  const date = Date.parse(response?.headers.get("date") ?? "");
  if (Number.isNaN(date)) return [];
  const difference = Math.abs(date - systemClock.now());
  if (difference <= mostClockDifferenceMs) return [];
  const text = `its clock and ours differ by ${Math.round(difference / 1000)} s`;
  return [{ check, level: "warning", text, fix: "synchronise this machine's clock (NTP)" }];
}

async function ledger(options: Place, opened: Opened | undefined, keys: Keys | undefined): Promise<readonly Finding[]> {
  if (!hasLedger(options.data)) {
    const fix = "new deployment: `npx sluice activate`; otherwise restore the data directory from its back-up";
    return [{ check: "ledger", level: "warning", text: `there is none under ${options.data}`, fix }];
  }
  const findings: Finding[] = [];
  const store = await attempt(
    "ledger",
    findings,
    () => openLedger(options),
    () => "opens",
  );
  if (!store) return findings;
  try {
    if (keys) {
      await attempt(
        "keys and data",
        findings,
        () => compareKeys(store.blobs, keys),
        () => "belong together",
      );
    }
    const audit = await verifyStore(store);
    findings.push({ check: "audit log", level: audit.ok ? "ok" : "problem", text: verdict(audit) });
    const current = await store.versions.current();
    if (opened && current !== opened.configuration.hash) {
      findings.push({
        check: "configuration",
        level: "warning",
        text: "config/ differs from what is active",
        fix: "`npx sluice activate`, then restart",
      });
    }
    for (const id of opened?.configuration.systems.keys() ?? []) {
      const { paused } = await store.systems.get(id);
      if (paused)
        findings.push({ check: `system ${id}`, level: "problem", text: `paused: ${paused.cause}`, fix: paused.fix });
    }
    for (const item of await itemsOf(store, systemClock.now())) {
      findings.push({
        check: "quarantine",
        level: "warning",
        text: `${item.members} × ${item.text} (${item.owner})`,
        fix: item.fix,
      });
    }
    const { mode } = await stat(store.mirrorPath).catch(() => ({ mode: 0 }));
    if (mode === 0)
      findings.push({
        check: "audit mirror",
        level: "warning",
        text: "not written yet",
        fix: "it is, within a second of the first entry",
      });
    return findings;
  } finally {
    await store.close();
  }
}
