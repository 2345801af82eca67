// Finds and reads the files of a configuration directory: `sluice.yaml` and one folder a kind of object.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { z } from "zod";
import { nameHint } from "./closest.ts";
import { problem, type Problem } from "./problems.ts";
import { checkShape } from "./schema-problems.ts";
import { folders, idPattern, schemas, type FileKind } from "./schemas.ts";
import { readYamlFile, type YamlFile } from "./yaml-file.ts";

/** One object of the configuration with its file. */
export interface Read<K extends FileKind> {
  readonly id: string;
  readonly file: YamlFile;
  readonly value: z.output<(typeof schemas)[K]>;
}

export type ObjectKind = keyof typeof folders;

export interface ReadConfiguration {
  readonly sluice: Read<"sluice"> | undefined;
  readonly system: ReadonlyMap<string, Read<"system">>;
  readonly agreement: ReadonlyMap<string, Read<"agreement">>;
  readonly channel: ReadonlyMap<string, Read<"channel">>;
  readonly policy: ReadonlyMap<string, Read<"policy">>;
  readonly mapping: ReadonlyMap<string, Read<"mapping">>;
  /** Names of files that are there, readable or not: a reference to a broken file is not also a dangling one. */
  readonly names: Readonly<Record<ObjectKind, readonly string[]>>;
}

/**
 * Values laid over the files before anything is checked (objects are merged, all else replaced), for example
 * `{ systems: { crm: { connection: { loginUrl } } } }`. They become part of the hash.
 */
export type Overrides = { readonly sluice?: JsonObject } & {
  readonly [F in (typeof folders)[ObjectKind]]?: Readonly<Record<string, JsonObject>>;
};

/** Reads all files; what is wrong with them is added to `problems`. */
export async function readConfiguration(
  dir: string,
  overrides: Overrides,
  problems: Problem[],
): Promise<ReadConfiguration> {
  const sluice = await readSluice(dir, overrides.sluice, problems);
  problems.push(...(await strayFolders(dir)));
  const names: Record<string, string[]> = {};
  const all: Record<string, Map<string, unknown>> = {};
  for (const kind of Object.keys(folders) as ObjectKind[]) {
    const over = overrides[folders[kind]] ?? {};
    const found = await fileNames(dir, kind, problems);
    const map = new Map<string, unknown>();
    for (const id of found) {
      const read = await readObject(dir, `${folders[kind]}/${id}.yaml`, id, kind, over[id], problems);
      if (read) map.set(id, read);
    }
    for (const id of Object.keys(over).filter((name) => !found.includes(name))) {
      problems.push(
        problem(folders[kind], `an override names the ${kind} "${id}", which has no file`, nameHint(id, found)),
      );
    }
    names[kind] = found;
    all[kind] = map;
  }
  return { sluice, ...all, names } as unknown as ReadConfiguration;
}

/** `sluice.yaml` alone. */
export function readSluice(
  dir: string,
  over: JsonObject | undefined,
  problems: Problem[],
): Promise<Read<"sluice"> | undefined> {
  return readObject(dir, "sluice.yaml", "sluice", "sluice", over, problems);
}

async function readObject<K extends FileKind>(
  dir: string,
  name: string,
  id: string,
  kind: K,
  over: JsonObject | undefined,
  problems: Problem[],
): Promise<Read<K> | undefined> {
  const file = await readYamlFile(join(dir, name), name);
  if (!("data" in file)) {
    problems.push(...file);
    return undefined;
  }
  const data = over ? merged(file.data, over) : file.data;
  const shape = checkShape(schemas[kind] as unknown as z.ZodType<z.output<(typeof schemas)[K]>>, data, file);
  if ("problems" in shape) {
    problems.push(...shape.problems);
    return undefined;
  }
  if (kind !== "sluice" && data.id !== undefined && data.id !== id) {
    problems.push(
      problem(
        file.where(["id"]),
        `the id differs from the file's name "${id}"`,
        "leave id away, the file's name is the id",
      ),
    );
    return undefined;
  }
  return { id, file, value: shape.value };
}

/** Ids of a folder's files; a missing folder is an empty one. */
async function fileNames(dir: string, kind: ObjectKind, problems: Problem[]): Promise<string[]> {
  const folder = folders[kind];
  const entries = await readdir(join(dir, folder), { withFileTypes: true }).catch(() => []);
  const ids: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".") || entry.name.endsWith("~")) continue;
    const id = entry.name.replace(/\.yaml$/, "");
    if (entry.isDirectory() || id === entry.name) {
      problems.push(
        problem(
          `${folder}/${entry.name}`,
          "only .yaml files belong here",
          `name it ${folder}/NAME.yaml or move it away`,
        ),
      );
    } else if (!idPattern.test(id)) {
      problems.push(
        problem(
          `${folder}/${entry.name}`,
          "the file's name is no id",
          "lower-case letters, digits and hyphens, a letter first",
        ),
      );
    } else ids.push(id);
  }
  return ids.sort();
}

const others: readonly string[] = ["schemas", "keys"];

/** A misspelt folder would silently configure nothing. */
async function strayFolders(dir: string): Promise<Problem[]> {
  const known = [...Object.values(folders), ...others];
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.name.startsWith(".") && !known.includes(entry.name) && entry.name !== "sluice.yaml")
    .filter((entry) => entry.isDirectory() || /\.ya?ml$/.test(entry.name))
    .map((entry) =>
      problem(entry.name, "this is no part of a configuration", nameHint(entry.name, [...known, "sluice.yaml"])),
    );
}

function merged(base: JsonObject, over: JsonObject): JsonObject {
  const result: Record<string, Json | undefined> = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const old = result[name];
    result[name] = isJsonObject(old) && isJsonObject(value) ? merged(old, value) : value;
  }
  return result;
}
