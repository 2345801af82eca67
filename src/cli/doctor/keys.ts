// What doctor finds about the keys: can each be read, by whom else, and do they have the right form.
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Keys } from "../../core/configuration.ts";
import { asSluiceError } from "../../core/errors.ts";
import type { Opened } from "../../embedded.ts";
import { environment } from "../../settings/environment.ts";
import { loadKeys, requireSigningKeys } from "../../settings/keys.ts";
import { resolveBytes } from "../../settings/references.ts";
import { failed, ok, problem, type Finding } from "./finding.ts";

const restore = "restore it from its back-up; for a new deployment `npx sluice init` makes keys";

/** The keys too, when all are there and well formed. */
export async function examineKeys(
  dir: string,
  opened: Opened,
): Promise<{ readonly findings: readonly Finding[]; readonly keys?: Keys }> {
  const { data, id, signing } = opened.keys;
  const named = [["data key", data], ["id key", id], ...signing.map((one) => ["signing key", one] as const)] as const;
  const findings = (await Promise.all(named.map(([name, reference]) => examineKey(dir, name, reference)))).flat();
  if (findings.some((one) => one.level === "problem" && one.fix === restore)) return { findings };
  try {
    const keys = await loadKeys(opened.keys, { dir, env: environment() });
    requireSigningKeys(opened.configuration, keys);
    return { findings: findings.length > 0 ? findings : [ok("keys", "all there, readable by their owner only")], keys };
  } catch (error) {
    return { findings: [...findings, failed("keys", asSluiceError(error))] };
  }
}

async function examineKey(dir: string, name: string, reference: string): Promise<readonly Finding[]> {
  const bytes = await resolveBytes(reference, { dir, env: environment() });
  if (!Buffer.isBuffer(bytes)) return [problem(name, bytes.message, restore)];
  if (!reference.startsWith("file:") || process.platform === "win32") return [];
  const path = resolve(dir, reference.slice(5));
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return [];
  // 45 CFR 164.312(a)(1)
  const text = `${path} can be read by others than its owner (mode ${(mode & 0o777).toString(8)})`;
  return [problem(name, text, `chmod 600 ${path}; if others used this machine, consider the key known`)];
}
