// Checks the image as far as this machine can: user, contents, size. Without a Docker engine the image's /app is laid out in
// a temporary folder as the Dockerfile does it (the build context, `npm ci` without development and platform packages)
// and started there; with an engine the image itself is built and asked.
// Run: node scripts/check-image.ts [--limit-mb 130]; exit 1 = something is wrong.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parseJson } from "../src/core/json.ts";
import { filesInContext, readDockerfile, unwantedIn, weaknessesOf } from "./image-context.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const { values } = parseArgs({ options: { "limit-mb": { type: "string", default: "130" } } });
const limitMb = Number(values["limit-mb"]);
const problems: string[] = [];

function report(what: string, wrong: readonly string[]): void {
  console.log(`${wrong.length === 0 ? "ok   " : "WRONG"} ${what}${wrong.length === 0 ? "" : `: ${wrong.join("; ")}`}`);
  problems.push(...wrong);
}

report("the Dockerfile's user, bases, health check", weaknessesOf(readDockerfile(read("Dockerfile"))));
const context = filesInContext(root);
report(`the build context, ${context.length} files`, unwantedIn(context));

const app = mkdtempSync(join(tmpdir(), "sluice-image-"));
try {
  layOut(app);
  report("the packages", unwantedPackages(app));
  report("it starts: --help", starts(app, "--help"));
  report("it starts: check", starts(app, "check", "--json"));
  const mb = sizeOf(app) / 1e6;
  report(`the size of /app, ${mb.toFixed(0)} MB`, mb > limitMb ? [`more than ${limitMb} MB`] : []);
} finally {
  rmSync(app, { recursive: true, force: true });
}
if (engineAnswers()) checkBuilt("sluice:check");
else console.log("not run: no Docker engine answers here, so the image itself was not built");
process.exitCode = problems.length === 0 ? 0 : 1;

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

function layOut(target: string): void {
  for (const path of context) {
    mkdirSync(join(target, dirname(path)), { recursive: true });
    cpSync(join(root, path), join(target, path));
  }
  const args = ["ci", "--omit=dev", "--omit=optional", "--no-audit", "--no-fund", "--prefer-offline"];
  execFileSync("npm", args, { cwd: target, stdio: ["ignore", "ignore", "inherit"] });
}

function unwantedPackages(target: string): string[] {
  const manifest = parseJson(read("package.json")) as Record<string, Record<string, string> | undefined>;
  const names = ["devDependencies", "optionalDependencies"].flatMap((kind) => Object.keys(manifest[kind] ?? {}));
  return names
    .filter((name) => exists(join(target, "node_modules", name)))
    .filter((name) => !isNeeded(target, name))
    .map((name) => `${name} is installed`);
}

/** A development package may be there because another one needs it to run. */
function isNeeded(target: string, name: string): boolean {
  const lock = parseJson(readFileSync(join(target, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>;
  };
  const entry = lock.packages[`node_modules/${name}`];
  return entry !== undefined && entry.dev !== true && entry.optional !== true;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** With the example's configuration, which is in the image; its one secret is given. */
function starts(target: string, ...args: readonly string[]): string[] {
  const env = { PATH: process.env["PATH"], MARKETING_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32).toString("base64")}` };
  const run = spawnSync(process.execPath, ["bin/sluice.js", ...args], { cwd: target, encoding: "utf8", env });
  return run.status === 0 ? [] : [`exit ${String(run.status)}: ${run.stderr.slice(0, 500)}`];
}

function sizeOf(path: string): number {
  let sum = 0;
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) sum += statSync(join(entry.parentPath, entry.name)).size;
  }
  return sum;
}

function engineAnswers(): boolean {
  return spawnSync("docker", ["version"], { stdio: "ignore" }).status === 0;
}

/** The image itself: its user, that it starts as that user on a read-only root, its files, its size. */
function checkBuilt(image: string): void {
  const docker = (...args: readonly string[]): string => execFileSync("docker", args, { cwd: root, encoding: "utf8" });
  docker("build", "--quiet", "--tag", image, ".");
  const [user = "", size = "0"] = docker("image", "inspect", "--format", "{{.Config.User}} {{.Size}}", image).split(
    " ",
  );
  const locked = ["--rm", "--read-only", "--cap-drop", "ALL", "--network", "none"];
  const inside = (...args: readonly string[]): string => docker("run", ...locked, "--entrypoint", ...args).trim();
  report("the image's user", inside("id", image, "-u") === "0" || user.startsWith("0") ? ["it runs as root"] : []);
  docker("run", ...locked, image, "--help");
  const files = inside("find", image, "/app", "-path", "/app/node_modules", "-prune", "-o", "-type", "f", "-print");
  report("the image's files", unwantedIn(files.split("\n").map((path) => path.replace("/app/", ""))));
  const mb = Number(size) / 1e6;
  report(`the image's size, ${mb.toFixed(0)} MB`, mb > limitMb + 300 ? [`more than ${limitMb + 300} MB`] : []);
}
