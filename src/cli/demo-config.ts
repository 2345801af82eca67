// Writes the demo's configuration beside its data: the example, with the sandboxes' addresses and keys of this run filled
// in. So every other command can be tried on it with --config.
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseDocument } from "yaml";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { Overrides } from "../settings/files.ts";

export interface DemoSecrets {
  /** Where the files go (0600), outside the configuration. */
  readonly dir: string;
  /** Variable name → secret. */
  readonly values: Readonly<Record<string, string>>;
}

export async function writeDemoConfig(
  example: string,
  dir: string,
  overrides: Overrides,
  secrets: DemoSecrets,
): Promise<void> {
  await cp(example, dir, { recursive: true, filter: (path) => !path.endsWith("keys") });
  await mkdir(secrets.dir, { recursive: true, mode: 0o700 });
  for (const [name, secret] of Object.entries(secrets.values)) {
    await writeFile(join(secrets.dir, name), secret, { mode: 0o600 });
  }
  const { sluice, ...folders } = overrides;
  if (sluice) await layOver(join(dir, "sluice.yaml"), sluice, secrets);
  for (const [folder, files] of Object.entries(folders)) {
    for (const [id, values] of Object.entries(files)) await layOver(join(dir, folder, `${id}.yaml`), values, secrets);
  }
}

async function layOver(file: string, values: JsonObject, secrets: DemoSecrets): Promise<void> {
  const document = parseDocument(await readFile(file, "utf8"));
  for (const [path, value] of leaves(values, [])) document.setIn(path, value);
  let text = document.toString({ lineWidth: 0 });
  for (const name of Object.keys(secrets.values)) {
    text = text.replaceAll(`env:${name}`, `file:${resolve(secrets.dir, name)}`);
  }
  await writeFile(file, text);
}

function* leaves(value: Json | undefined, path: readonly string[]): Iterable<readonly [readonly string[], Json]> {
  if (value === undefined) return;
  if (!isJsonObject(value)) yield [path, value];
  else for (const [name, item] of Object.entries(value)) yield* leaves(item, [...path, name]);
}
