// `env:NAME` and `file:PATH` references: the only way in which a secret gets into a configuration. What is hashed, stored
// and shown is always the reference, never what it points to.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { z } from "zod";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { problem, type Problem } from "./problems.ts";
import type { Path, YamlFile } from "./yaml-file.ts";

export type Env = Readonly<Record<string, string | undefined>>;

export interface ReferenceBase {
  /** Relative `file:` paths start here: the configuration directory. */
  readonly dir: string;
  readonly env: Env;
}

export function isReference(value: unknown): value is string {
  return typeof value === "string" && /^(env|file):/.test(value);
}

/** Why a reference gives nothing; its words hold no secret. */
export interface Unresolved {
  readonly message: string;
  readonly hint: string;
}

/** The bytes behind a reference. */
export async function resolveBytes(reference: string, base: ReferenceBase): Promise<Buffer | Unresolved> {
  if (reference.startsWith("env:")) {
    const name = reference.slice(4);
    const value = Object.hasOwn(base.env, name) ? base.env[name] : undefined;
    if (value) return Buffer.from(value, "utf8");
    return { message: `the environment variable ${name} is not set`, hint: `set ${name} before starting` };
  }
  const path = resolve(base.dir, reference.slice(5));
  try {
    const bytes = await readFile(path);
    return bytes.length > 0 ? bytes : { message: `the file ${path} is empty`, hint: "put the secret into it" };
  } catch {
    return { message: `the file ${path} cannot be read`, hint: "check that it exists and who may read it" };
  }
}

/** The text behind a reference, without the line end of a file. */
export async function resolveText(reference: string, base: ReferenceBase): Promise<string | Unresolved> {
  const bytes = await resolveBytes(reference, base);
  return Buffer.isBuffer(bytes) ? bytes.toString("utf8").replace(/\r?\n$/, "") : bytes;
}

export interface Resolved {
  /** The same value with each reference replaced; a member whose reference gives nothing is left out. */
  readonly value: JsonObject;
  readonly unresolved: readonly { readonly path: Path; readonly why: Unresolved }[];
}

/** Replaces every reference below `value`. */
export async function resolveAll(value: JsonObject, base: ReferenceBase): Promise<Resolved> {
  const unresolved: { path: Path; why: Unresolved }[] = [];
  const walk = async (at: Json | undefined, path: Path): Promise<Json | undefined> => {
    if (isReference(at)) {
      const text = await resolveText(at, base);
      if (typeof text === "string") return text;
      unresolved.push({ path, why: text });
      return undefined;
    }
    if (Array.isArray(at)) {
      const items = at as readonly Json[];
      const kept = await Promise.all(items.map((item, index) => walk(item, [...path, index])));
      return kept.filter((item) => item !== undefined);
    }
    return isJsonObject(at) ? walkObject(at, path) : at;
  };
  const walkObject = async (at: JsonObject, path: Path): Promise<JsonObject> => {
    const members = Object.entries(at).map(async ([name, item]) => [name, await walk(item, [...path, name])] as const);
    return Object.fromEntries((await Promise.all(members)).filter(([, item]) => item !== undefined));
  };
  return { value: await walkObject(value, []), unresolved };
}

/** Names under which a secret is usually kept; `tokenUrl` and `passwordPolicy` are none. */
const secretName = /(secret|password|passphrase|api_?key|private_?key|access_?token|refresh_?token|bearer)$/i;
const secretLook = /^(whsec_|-----BEGIN |[a-z][a-z0-9+.-]*:\/\/[^/@\s]*:[^/@\s]+@)/i;

/**
 * Secrets that stand in a connection in clear: fields that the connector's schema marks (`.meta({ secret: true })`), fields
 * with a secret's name, and values that look like one.
 */
export function clearSecrets(connection: JsonObject, schema: z.ZodType, file: YamlFile): Problem[] {
  const marked = markedSecrets(schema);
  const problems: Problem[] = [];
  const walk = (at: Json | undefined, path: Path): void => {
    if (Array.isArray(at))
      (at as readonly Json[]).forEach((item, index) => {
        walk(item, [...path, index]);
      });
    else if (isJsonObject(at))
      Object.entries(at).forEach(([name, item]) => {
        walk(item, [...path, name]);
      });
    else if (at !== undefined && at !== null && !isReference(at) && isSecret(at, String(path.at(-1)), marked)) {
      const label = path.map(String).join(".");
      const hint = "write env:NAME or file:PATH and keep the secret there; if this file was shared, replace the secret";
      problems.push(
        problem(file.where(["connection", ...path]), `a secret stands in clear in "connection.${label}"`, hint),
      );
    }
  };
  walk(connection, []);
  return problems;
}

function isSecret(value: Json, name: string, marked: ReadonlySet<string>): boolean {
  return marked.has(name) || secretName.test(name) || (typeof value === "string" && secretLook.test(value));
}

/** Names of the fields that a connector's schema marks as secret, at any depth. */
function markedSecrets(schema: z.ZodType): ReadonlySet<string> {
  const names = new Set<string>();
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(walk);
    if (!isJsonObject(node)) return;
    if (isJsonObject(node.properties)) {
      for (const [name, field] of Object.entries(node.properties)) {
        if (isJsonObject(field) && (field.secret === true || field.writeOnly === true)) names.add(name);
      }
    }
    Object.values(node).forEach(walk);
  };
  walk(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
  return names;
}
