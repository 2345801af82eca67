// Reads one YAML file of the configuration and remembers on which line each value stands. Only the plain part of YAML is
// accepted: one document, no aliases (they can grow without bound), no tags, no duplicate keys.
import { readFile } from "node:fs/promises";
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit, type Document } from "yaml";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import type { Problem } from "./problems.ts";

export type Path = readonly PropertyKey[];

export interface YamlFile {
  /** Relative to the configuration directory, with `/`. */
  readonly name: string;
  readonly data: JsonObject;
  /** `name:line` of the member or item at the path, or of its nearest parent that is in the file. */
  where(path: Path): string;
}

const maxBytes = 1024 * 1024;

/** The file's value, or what is wrong with it. */
export async function readYamlFile(path: string, name: string): Promise<YamlFile | readonly Problem[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch {
    return [{ where: name, message: "the file cannot be read", hint: "check that it exists and who may read it" }];
  }
  if (bytes.length > maxBytes) return [{ where: `${name}:1`, message: "the file is larger than 1 MB" }];
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return [{ where: `${name}:1`, message: "the file is not UTF-8 text" }];
  }
  return parseYaml(text, name);
}

/** The same for text that is at hand. */
export function parseYaml(text: string, name: string): YamlFile | readonly Problem[] {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    version: "1.2",
    schema: "core",
    uniqueKeys: true,
    merge: false,
  });
  const at = (offset: number): string => `${name}:${Math.max(1, lines.linePos(offset).line)}`;
  const problems: Problem[] = document.errors.map((error) => ({
    where: at(error.pos[0]),
    message: words(error.code, error.message),
  }));
  problems.push(...refusedSyntax(document, at));
  if (problems.length > 0) return problems;
  const data: unknown = document.toJS({ maxAliasCount: 0 });
  if (!isJsonObject(data)) {
    return [{ where: `${name}:1`, message: "the file holds no settings", hint: "write `name: value` lines" }];
  }
  return { name, data, where: (path) => at(offsetOf(document, path)) };
}

function words(code: string, message: string): string {
  if (code === "DUPLICATE_KEY") return "the same name is given twice";
  if (code === "MULTIPLE_DOCS") return "the file holds more than one document";
  return `not valid YAML: ${message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? code}`;
}

function refusedSyntax(document: Document, at: (offset: number) => string): Problem[] {
  const problems: Problem[] = [];
  const refuse = (
    node: { readonly range?: readonly number[] | null | undefined },
    message: string,
    hint: string,
  ): void => {
    problems.push({ where: at(node.range?.[0] ?? 0), message, hint });
  };
  visit(document, {
    Alias: (_, node) => {
      refuse(node, "aliases (*name) are not accepted", "write the value out");
    },
    Node: (_, node) => {
      if (node.anchor !== undefined) refuse(node, "anchors (&name) are not accepted", "write the value out");
      if (node.tag?.startsWith("!")) refuse(node, "tags (!name) are not accepted", "leave the tag away");
    },
    Pair: (_, pair) => {
      const plain = isScalar(pair.key) && typeof pair.key.value === "string" && pair.key.value !== "__proto__";
      if (!plain && isNode(pair.key)) refuse(pair.key, "a name must be text", "put it in quotes");
    },
  });
  return problems;
}

/** Where the deepest part of the path that is in the file begins: the name of a member, the item of a list. */
function offsetOf(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const step of path) {
    const pair = isMap(node) ? node.items.find((item) => isScalar(item.key) && item.key.value === step) : undefined;
    const place: unknown = isSeq(node) ? node.items[Number(step)] : pair?.key;
    if (!isNode(place)) break;
    offset = place.range?.[0] ?? offset;
    node = pair ? pair.value : place;
  }
  return offset;
}
