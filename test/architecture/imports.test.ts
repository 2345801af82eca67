// Imports point inward (the table in `arrows.ts`), no file imports itself in a circle, and the proofs of the exchange
// (`Judged`, `Minimal`, `Merged`, `Recorded`, `Phi`) are never made by a cast.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { arrowTable, rooms } from "./arrows.ts";
import { castsTo, filesIn, importsOf, root, roomOf, sourcesIn, type Import, type Source } from "./sources.ts";

const sources = sourcesIn("src", "connectors");
const proofs = new Set(["Judged", "Minimal", "Merged", "Recorded", "Phi"]);
/** Packages that only one place may import. */
const owned: Readonly<Record<string, readonly string[]>> = {
  bullmq: ["src/queue/"],
  ioredis: ["src/queue/"],
  "@electric-sql/pglite": ["src/queue/"],
  express: ["src/http/"],
  "prom-client": ["src/http/"],
  mongoose: ["src/store/mongo/"],
};
const emptyNames = /(^|[-./])(utils?|helpers?|common|managers?|services?)([-./]|$)/i;

function wrongArrows(files: readonly Source[]): string[] {
  return files.flatMap(importsOf).flatMap((arrow) => (arrow.relative ? wrongRoom(arrow) : wrongPackage(arrow)));
}

function wrongRoom({ from, to }: Import): string[] {
  const here = roomOf(from);
  const there = roomOf(to);
  if (here === undefined || there === undefined) return [`${from} imports ${to}, which is in no room`];
  const sameFolder = here !== "connectors" || from.split("/")[1] === to.split("/")[1];
  if (here === there && sameFolder) return [];
  return rooms[here]?.knows.includes(there) ? [] : [`${from} (${here}) must not import ${to} (${there})`];
}

function wrongPackage({ from, to }: Import): string[] {
  const name = to
    .split("/")
    .slice(0, to.startsWith("@") ? 2 : 1)
    .join("/");
  const owners = owned[name];
  if (!owners || owners.some((folder) => from.startsWith(folder))) return [];
  return [`${from} must not import ${name}, only ${owners.join(", ")} may`];
}

function cycles(files: readonly Source[]): string[] {
  const edges = new Map(files.map((file) => [file.path, importsOf(file).filter((arrow) => arrow.relative)]));
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) return void found.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
    if (done.has(path)) return;
    for (const { to } of edges.get(path) ?? []) walk(to, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) walk(path, []);
  return found;
}

describe("architecture", () => {
  it("imports point inward", () => {
    assert.ok(sources.length > 0);
    assert.deepEqual(wrongArrows(sources), []);
  });

  const wrong: readonly (readonly [string, string])[] = [
    ["src/core/ids.ts", `import { x } from "../exchange/ports.ts";`],
    ["src/policy/consent.ts", `import type { X } from "../store/embedded/store.ts";`],
    ["src/exchange/fetch.ts", `export { x } from "../queue/redis.ts";`],
    ["src/http/proxy.ts", `const x = await import("../store/embedded/store.ts");`],
    ["src/settings/load.ts", `type X = import("../http/app.ts").X;`],
    ["src/cli/demo.ts", `import "../queue/bull-queue.ts";`],
    ["src/core/ids.ts", `import "../../test/backends/redis.ts";`],
    ["connectors/csv/index.ts", `import { x } from "../../src/exchange/ports.ts";`],
    ["connectors/csv/index.ts", `import { x } from "../recipient/index.ts";`],
    ["src/exchange/fetch.ts", `import { Queue } from "bullmq";`],
    ["src/store/embedded/store.ts", `import "mongoose";`],
    ["src/exchange/fetch.ts", `import { PGlite } from "@electric-sql/pglite/worker";`],
    ["src/main.ts", `import express from "express";`],
  ];
  for (const [path, text] of wrong) {
    it(`would find ${text} in ${path}`, () => {
      assert.equal(wrongArrows([{ path, text }]).length, 1);
    });
  }

  it("would let right arrows through", () => {
    const right: Source[] = [
      { path: "src/exchange/fetch.ts", text: `import { x } from "../core/ids.ts"; import "./ports.ts";` },
      { path: "src/queue/redis.ts", text: `import { Queue } from "bullmq"; import { Redis } from "ioredis";` },
      { path: "src/main.ts", text: `import "./store/embedded/store.ts"; import "./http/app.ts";` },
      { path: "connectors/csv/index.ts", text: `import "../../src/connector/contract.ts"; import "./sandbox/x.ts";` },
    ];
    assert.deepEqual(wrongArrows(right), []);
  });

  it("no files import each other in a circle", () => {
    assert.deepEqual(cycles(sources), []);
  });

  it("would find a circle", () => {
    const circle: Source[] = [
      { path: "src/core/a.ts", text: `import "./b.ts";` },
      { path: "src/core/b.ts", text: `import type { C } from "./c.ts";` },
      { path: "src/core/c.ts", text: `import "./a.ts";` },
    ];
    assert.deepEqual(cycles(circle), ["src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts"]);
    assert.deepEqual(cycles(circle.slice(0, 2)), []);
  });

  it("every room of src is in the table", () => {
    const found = new Set(sources.map((source) => roomOf(source.path)));
    assert.deepEqual(
      [...found].filter((room) => room === undefined || !(room in rooms)),
      [],
    );
  });

  it("nothing is cast to Judged, Minimal, Merged, Recorded or Phi", () => {
    assert.deepEqual(
      sources.flatMap((source) => castsTo(source, proofs)),
      [],
    );
  });

  it("would find such a cast, and only such a cast", () => {
    const casts = (text: string): string[] => castsTo({ path: "src/exchange/x.ts", text }, proofs);
    assert.deepEqual(casts("const a = 1;\nconst x = y as Recorded<string>;"), ["src/exchange/x.ts:2"]);
    assert.deepEqual(casts("f(y as unknown as Promise<readonly Phi<string>[]>);"), ["src/exchange/x.ts:1"]);
    assert.deepEqual(casts("const x = <Minimal>y;"), ["src/exchange/x.ts:1"]);
    assert.deepEqual(casts("const x: Phi<string> = new Phi(y as string); // as Judged"), []);
  });

  it("no file is named utils, helpers, common, manager or service", () => {
    const files = filesIn("src", "connectors", "test", "bin", "scripts", "bench", "config");
    assert.deepEqual(
      files.filter((path) => emptyNames.test(path)),
      [],
    );
  });

  it("would find such a name", () => {
    const bad = ["src/utils/x.ts", "src/core/date-utils.ts", "src/http/helper.ts", "src/http/queue-manager.ts"];
    assert.deepEqual(
      bad.filter((path) => emptyNames.test(path)),
      bad,
    );
    assert.deepEqual(
      ["src/core/uncommon.ts", "src/cli/serve.ts"].filter((path) => emptyNames.test(path)),
      [],
    );
  });

  it("ARCHITECTURE.md prints the table", () => {
    const page = join(root, "ARCHITECTURE.md");
    assert.ok(existsSync(page), "ARCHITECTURE.md is missing");
    assert.ok(
      readFileSync(page, "utf8").includes(arrowTable()),
      "ARCHITECTURE.md prints another table: put in what `node test/architecture/arrows.ts` writes",
    );
  });
});
