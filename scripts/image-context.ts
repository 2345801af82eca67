// Which files `docker build` would send to the engine: .dockerignore read as the engine reads it (the last pattern that
// fits wins, a folder that is left out leaves out what is in it), and what of them must not be in an image.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Pattern {
  readonly keeps: boolean;
  readonly fits: RegExp;
}

/** Paths with slashes, relative to `root`, sorted. */
export function filesInContext(root: string): string[] {
  const patterns = readPatterns(readFileSync(join(root, ".dockerignore"), "utf8"));
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      // Only an exception could bring back something of these, and none does.
      if (path === ".git" || path === "node_modules") continue;
      if (entry.isDirectory()) walk(path);
      else if (isSent(path, patterns)) found.push(path);
    }
  };
  walk("");
  return found.toSorted();
}

export function readPatterns(text: string): readonly Pattern[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({ keeps: line.startsWith("!"), fits: asRegExp(line.replace(/^!/, "").replace(/^\/|\/$/g, "")) }));
}

export function isSent(path: string, patterns: readonly Pattern[]): boolean {
  const parts = path.split("/");
  const parents = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
  let sent = true;
  for (const { keeps, fits } of patterns) if (parents.some((parent) => fits.test(parent))) sent = keeps;
  return sent;
}

function asRegExp(pattern: string): RegExp {
  const text = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll("**/", "\u0001")
    .replaceAll("**", "\u0002")
    .replaceAll("*", "[^/]*")
    .replaceAll("?", "[^/]")
    .replaceAll("\u0001", "(?:.*/)?")
    .replaceAll("\u0002", ".*");
  return new RegExp(`^${text}$`);
}

/** Tests, keys, secrets, and what is only for developers. */
const unwanted: readonly RegExp[] = [
  /(^|\/)(test|tests|bench|docs|coverage|\.git|\.ci|\.sluice)\//,
  /\.test\.ts$/,
  /(^|\/)keys\//,
  /\.(key|pem|jwk|p12|pfx|crt|sqlite|log)$/,
  /(^|\/)\.env|\.env$/,
];

export function unwantedIn(paths: readonly string[]): string[] {
  return paths.filter((path) => unwanted.some((pattern) => pattern.test(path)));
}

/** What a Dockerfile says of the image that it ends in. */
export interface ImageWords {
  readonly from: readonly string[];
  readonly user: string | undefined;
  readonly healthcheck: boolean;
  readonly entrypoint: string | undefined;
}

export function readDockerfile(text: string): ImageWords {
  const lines = text
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .filter((line) => !line.startsWith("#"));
  const args = (name: string, of: readonly string[]): string[] =>
    of.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length).trim());
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")));
  return {
    from: args("FROM", lines).map((line) => line.split(/\s+/)[0] ?? ""),
    user: args("USER", last).at(-1),
    healthcheck: args("HEALTHCHECK", last).some((line) => line !== "NONE"),
    entrypoint: args("ENTRYPOINT", last).at(-1),
  };
}

/** What is wrong with the image, in words; empty = nothing. */
export function weaknessesOf({ from, user, healthcheck, entrypoint }: ImageWords): string[] {
  const root = user === undefined || /^(root|0)(:|$)/.test(user);
  const loose = from.filter((image) => !/^[a-z0-9./-]+:[^:]*\d[^:]*$/.test(image) || image.endsWith(":latest"));
  return [
    ...(root ? [`it runs as ${user ?? "root"}`] : []),
    ...loose.map((image) => `${image} names no version`),
    ...(healthcheck ? [] : ["it has no HEALTHCHECK"]),
    ...(entrypoint?.startsWith("[") ? [] : ["its ENTRYPOINT is a shell, which swallows signals"]),
  ];
}
