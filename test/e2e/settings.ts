// What a run of the product in a test is configured with: the example with short intervals, and keys made once a process.
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Keys } from "../../src/core/configuration.ts";
import { systemRandom } from "../../src/core/ids.ts";
import { isJsonObject, type JsonObject } from "../../src/core/json.ts";
import type { Overrides } from "../../src/settings/files.ts";
import { loadKeys, makeKeys, type KeyReferences } from "../../src/settings/keys.ts";

/** Polls, waits and leases that a test can sit through. */
export const shortIntervals: Overrides = {
  sluice: { retry: { base: "50ms", cap: "500ms", maxAttempts: 8 }, lease: "8s" },
  systems: {
    crm: { visibleAfter: "100ms", timeout: "4s" },
    ehr: { visibleAfter: "100ms", timeout: "4s" },
    marketing: { visibleAfter: "100ms", timeout: "4s" },
  },
  channels: {
    "crm-to-ehr": { pollEvery: "250ms" },
    "ehr-to-crm": { pollEvery: "250ms" },
    "ehr-to-marketing": { pollEvery: "300ms" },
  },
};

let keysOnce: Promise<{ readonly keys: Keys; readonly references: KeyReferences; readonly dir: string }> | undefined;

/** One set of keys a test process. */
export function testKeys(): NonNullable<typeof keysOnce> {
  keysOnce ??= (async () => {
    const dir = await mkdtemp(join(tmpdir(), "sluice-keys-"));
    process.once("exit", () => {
      rmSync(dir, { recursive: true, force: true });
    });
    const { references } = await makeKeys(dir, systemRandom);
    return { keys: await loadKeys(references, { dir, env: {} }), references, dir };
  })();
  return keysOnce;
}

/** Objects are merged, all else is replaced. */
export function mergeOverrides(base: Overrides, over: Overrides): Overrides {
  return mergeObjects(base, over);
}

function mergeObjects(base: JsonObject, over: JsonObject): JsonObject {
  const merged = { ...base } as Record<string, JsonObject[string]>;
  for (const [name, value] of Object.entries(over)) {
    const before = merged[name];
    merged[name] = isJsonObject(before) && isJsonObject(value) ? mergeObjects(before, value) : value;
  }
  return merged;
}
