// Only the plain part of YAML is read, and every value knows its line.
import assert from "node:assert/strict";
import { parseYaml } from "../../../src/settings/yaml-file.ts";

function problemsOf(text: string): string[] {
  const file = parseYaml(text, "f.yaml");
  return "data" in file ? [] : file.map(({ where, message }) => `${where} ${message}`);
}

describe("settings: YAML files", () => {
  it("reads plain maps, lists and scalars and knows the line of each", () => {
    const file = parseYaml("a: 1\nb:\n  c:\n    - x\n    - d: y\n", "f.yaml");
    assert.ok("data" in file);
    assert.deepEqual(file.data, { a: 1, b: { c: ["x", { d: "y" }] } });
    assert.equal(file.where(["b"]), "f.yaml:2");
    assert.equal(file.where(["b", "c", 1, "d"]), "f.yaml:5");
    assert.equal(file.where(["b", "c", 0]), "f.yaml:4");
    assert.equal(file.where(["b", "nothing", "below"]), "f.yaml:2");
  });

  it("refuses aliases and anchors, bombs included", () => {
    assert.deepEqual(problemsOf("a: &x 1\nb: *x\n"), [
      "f.yaml:1 anchors (&name) are not accepted",
      "f.yaml:2 aliases (*name) are not accepted",
    ]);
    const levels = Array.from({ length: 30 }, (_, n) => `l${n + 1}: &l${n + 1} [${`*l${n}, `.repeat(10)}]`);
    assert.ok(problemsOf(`l0: &l0 [a]\n${levels.join("\n")}\n`).length > 30);
  });

  it("refuses a name that is given twice, at its second place", () => {
    assert.deepEqual(problemsOf("a: 1\nb: 2\na: 3\n"), ["f.yaml:3 the same name is given twice"]);
    assert.deepEqual(problemsOf("a: 1\nb: 2\nA: 3\n"), []);
  });

  it("refuses tags, several documents, names that are no text, and what is no map", () => {
    assert.match(problemsOf("a: !x 1\n")[0] ?? "", /tags/);
    assert.match(problemsOf("a: 1\n---\nb: 2\n").join(), /more than one document/);
    assert.match(problemsOf("1: x\n")[0] ?? "", /a name must be text/);
    assert.match(problemsOf("__proto__: {x: 1}\n")[0] ?? "", /a name must be text/);
    assert.match(problemsOf("- a\n")[0] ?? "", /no settings/);
    assert.match(problemsOf("")[0] ?? "", /no settings/);
  });

  it("says where broken YAML is broken", () => {
    assert.match(problemsOf("a: 1\nb: [1, 2\nc: 3\n")[0] ?? "", /^f\.yaml:\d not valid YAML/);
  });
});
