// Turns what a schema found into problems with a place in the file and a hint. Values are never repeated: one of them
// could be a secret.
import { z } from "zod";
import { isJsonObject } from "../core/json.ts";
import { nameHint } from "./closest.ts";
import { problem, type Problem } from "./problems.ts";
import type { Path, YamlFile } from "./yaml-file.ts";

/** Problems of `value` (found in the file at `base`) under the schema; or the parsed value. */
export function checkShape<T>(
  schema: z.ZodType<T>,
  value: unknown,
  file: YamlFile,
  base: Path = [],
): { readonly value: T } | { readonly problems: readonly Problem[] } {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { value: parsed.data };
  const shape = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return { problems: parsed.error.issues.flatMap((issue) => issueProblems(issue, value, shape, file, base)) };
}

function issueProblems(issue: z.core.$ZodIssue, value: unknown, shape: unknown, file: YamlFile, base: Path): Problem[] {
  const path = [...base, ...issue.path];
  const label = path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const known = knownNames(shape, issue.path);
    return issue.keys.map((key) =>
      problem(file.where([...path, key]), `unknown name "${key}"${inside(label)}`, nameHint(key, known)),
    );
  }
  if (issue.code === "invalid_key") {
    const words = issue.issues[0]?.message ?? "not accepted";
    return [problem(file.where(path), `the name "${String(path.at(-1))}" is not accepted: ${words}`, undefined)];
  }
  const given = valueAt(value, issue.path);
  if (given === undefined) return [problem(file.where(path), `"${label}" is missing`, describe(shape, issue.path))];
  if (issue.code === "invalid_value") {
    const choices = issue.values.map(String);
    const hint = typeof given === "string" ? nameHint(given, choices) : `one of: ${choices.join(", ")}`;
    return [problem(file.where(path), `"${label}" must be one of ${choices.join(", ")}`, hint)];
  }
  return [
    problem(
      file.where(path),
      `${label === "" ? "the file" : `"${label}"`}: ${issue.message}`,
      describe(shape, issue.path),
    ),
  ];
}

function inside(label: string): string {
  return label === "" ? "" : ` in "${label}"`;
}

/** The value at the path; undefined when there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) {
    if (Array.isArray(at)) at = (at as readonly unknown[])[Number(step)];
    else if (isJsonObject(at) && Object.hasOwn(at, String(step))) at = at[String(step)];
    else return undefined;
  }
  return at;
}

/** The JSON Schema node for the path, as far as it can be followed. */
function schemaAt(shape: unknown, path: Path): unknown {
  let at = shape;
  for (const step of path) {
    if (!isJsonObject(at)) return undefined;
    const { properties, items, additionalProperties } = at;
    if (typeof step === "number") at = items;
    else if (isJsonObject(properties) && Object.hasOwn(properties, String(step))) at = properties[String(step)];
    else at = additionalProperties;
  }
  return at;
}

function knownNames(shape: unknown, path: Path): readonly string[] {
  const node = schemaAt(shape, path);
  return isJsonObject(node) && isJsonObject(node.properties) ? Object.keys(node.properties) : [];
}

function describe(shape: unknown, path: Path): string | undefined {
  const node = schemaAt(shape, path);
  return isJsonObject(node) && typeof node.description === "string" ? node.description : undefined;
}
