// The JSON Schemas under config/schemas are those that the code generates, and every example file names its own.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join, resolve, dirname } from "node:path";
import { parseJson } from "../../../src/core/json.ts";
import { jsonSchemas } from "../../../src/settings/json-schemas.ts";
import { folders } from "../../../src/settings/schemas.ts";
import { exampleDir } from "./example.ts";

describe("settings: JSON Schemas", () => {
  it("are checked in as generated (npm run schemas)", async () => {
    const generated = jsonSchemas();
    assert.deepEqual((await readdir(join(exampleDir, "schemas"))).sort(), [...generated.keys()].sort());
    for (const [name, text] of generated) {
      const stored = await readFile(join(exampleDir, "schemas", name), "utf8");
      assert.deepEqual(parseJson(stored), parseJson(text), name);
    }
  });

  it("are named by the example files, each its own", async () => {
    for (const [kind, folder] of Object.entries(folders)) {
      for (const file of await readdir(join(exampleDir, folder))) {
        const path = join(exampleDir, folder, file);
        const named = /^# yaml-language-server: \$schema=(\S+)$/m.exec(await readFile(path, "utf8"))?.[1];
        if (named === undefined && kind === "mapping") continue;
        const own = join(exampleDir, "schemas", `${kind}.schema.json`);
        assert.equal(resolve(dirname(path), named ?? ""), own, `${folder}/${file}`);
      }
    }
  });
});
