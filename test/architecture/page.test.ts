// ARCHITECTURE.md and SECURITY.md agree with the code: the stage table, the dependencies, and each test that they name.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseJson } from "../../src/core/json.ts";
import { kinds, stages, stageWords } from "../../src/exchange/stages.ts";
import { root } from "./sources.ts";

const read = (path: string): string => readFileSync(join(root, path), "utf8");
const architecture = read("ARCHITECTURE.md");

/** The text below a heading of the second level, up to the next one. */
function section(title: string): string {
  const text = architecture.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  assert.ok(text, `ARCHITECTURE.md has no section "${title}"`);
  return text;
}

function stageTable(): string {
  const columns = Object.values(kinds).map(({ intake, run }) => new Set<string>([...intake, ...run]));
  const rows = stages.map((stage) => {
    const marks = columns.map((column) => (column.has(stage) ? " x |" : "  |"));
    return `| ${stageWords[stage]} |${marks.join("")}`;
  });
  const names = Object.keys(kinds).map((kind) => kind.replace("-", " "));
  return [`| stage | ${names.join(" | ")} |`, `| --- |${" --- |".repeat(names.length)}`, ...rows].join("\n");
}

interface Named {
  readonly file: string;
  /** What stands in the file, in parts where the page leaves something out. */
  readonly parts: readonly string[];
}

/** `test/…` in a page, and the name in italics behind it. */
function testsNamedIn(page: string): Named[] {
  return [...page.matchAll(/`(test\/[^`*\s]+\.ts)`(?: \*([^*]+)\*)?/g)].map(([, file = "", name = ""]) => ({
    file,
    parts: name.split("…").map((part) => part.trim()),
  }));
}

function missing({ file, parts }: Named): string[] {
  if (!existsSync(join(root, file))) return [`${file} does not exist`];
  const text = read(file);
  return parts.filter((part) => !text.includes(part)).map((part) => `${file} has no test "${part}"`);
}

describe("the written pages", () => {
  it("ARCHITECTURE.md prints the stage table", () => {
    assert.ok(section("Stages").includes(stageTable()), `put in:\n${stageTable()}`);
  });

  it("every dependency is listed with its reason, and none else", () => {
    const manifest = parseJson(read("package.json")) as Record<string, Record<string, string> | undefined>;
    const wanted = ["dependencies", "optionalDependencies", "devDependencies"].flatMap((kind) =>
      Object.keys(manifest[kind] ?? {}),
    );
    const cells = [...section("Dependencies").matchAll(/^\| (`[^|]*) \| *\S/gm)].map(([, cell = ""]) => cell);
    const listed = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));
    assert.deepEqual(listed.toSorted(), wanted.toSorted());
  });

  it("each of the fourteen statements names a test that proves it", () => {
    const statements = section("What always holds")
      .split(/^(?=\d+\. )/m)
      .slice(1);
    assert.equal(statements.length, 14);
    for (const [index, statement] of statements.entries()) {
      assert.ok(statement.startsWith(`${index + 1}. `));
      assert.ok(testsNamedIn(statement).some(({ parts }) => parts[0] !== ""));
    }
  });

  for (const page of ["ARCHITECTURE.md", "SECURITY.md"]) {
    it(`${page} names tests that are there`, () => {
      const named = testsNamedIn(read(page));
      assert.ok(named.length > 10);
      assert.deepEqual(named.flatMap(missing), []);
    });
  }

  it("would find a test that is not there", () => {
    const gone = ["moon", "landing"].join(" ");
    const page = `\`test/architecture/page.test.ts\` *the written … ${gone}*, \`test/gone.test.ts\` *x*`;
    assert.deepEqual(testsNamedIn(page).flatMap(missing), [
      `test/architecture/page.test.ts has no test "${gone}"`,
      "test/gone.test.ts does not exist",
    ]);
  });
});
