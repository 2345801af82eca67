// What doctor finds about the systems: does each answer, is it the one that it should be, does its clock agree with ours.
import type { Connector } from "../../connector/contract.ts";
import { networkFailure } from "../../connector/failures.ts";
import { openOutbound } from "../../connector/outbound.ts";
import { systemClock } from "../../core/clock.ts";
import type { Keys, SystemConfig } from "../../core/configuration.ts";
import { asSluiceError } from "../../core/errors.ts";
import { systemRandom } from "../../core/ids.ts";
import type { Opened } from "../../embedded.ts";
import { clockFinding, failed, ok, problem, type Finding } from "./finding.ts";

export async function reach(system: SystemConfig, opened: Opened, keys: Keys): Promise<readonly Finding[]> {
  const check = `system ${system.id}`;
  const module = opened.connectors.get(system.connector);
  if (!module) return [problem(check, `no connector ${system.connector}`)];
  const origins = module.origins(system.connection);
  const http = openOutbound({ origins, timeoutMs: system.timeoutMs, concurrency: 1, maxBytes: 1024 * 1024 });
  let connector: Connector | undefined;
  try {
    connector = module.open({ system, http, clock: systemClock, random: systemRandom, keys });
    if (module.kind === "recipient") await answersAtAll(origins, http.fetch);
    const identity = await connector.identify();
    const wrong = Object.keys(system.identity).filter((name) => identity[name] !== system.identity[name]);
    if (wrong.length > 0) {
      const fix = "if it was moved or refreshed on purpose, set identity in its file; else the address is wrong";
      return [problem(check, `identity differs: ${wrong.join(", ")}`, fix)];
    }
    return [ok(check, "reachable, and who it should be"), ...(await clock(check, origins, http.fetch))];
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

/** By the system's Date header. */
async function clock(
  check: string,
  origins: readonly string[],
  fetch: typeof globalThis.fetch,
): Promise<readonly Finding[]> {
  const [origin] = origins;
  const response = origin === undefined ? undefined : await fetch(origin, { method: "HEAD" }).catch(() => undefined);
  const date = Date.parse(response?.headers.get("date") ?? "");
  return Number.isNaN(date) ? [] : clockFinding(check, "the system", date - systemClock.now(), false);
}
