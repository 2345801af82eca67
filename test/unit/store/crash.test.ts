// Killed at any moment, the store holds all that it had answered, and an audit chain that verifies.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { verifyChain } from "../../../src/audit/verify.ts";
import { readMirror } from "../../../src/store/embedded/mirror.ts";
import { closeAll, newDirectory, openStore } from "./opened.ts";

const script = fileURLToPath(new URL("./crash-writer.ts", import.meta.url));

/** Runs the writer until it has said `enough` ids, kills it, and gives the ids that it had said. */
async function killed(directory: string, enough: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [script, directory], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    if (said.split("\n").length > enough) child.kill("SIGKILL");
  });
  await closed;
  assert.equal(child.signalCode, "SIGKILL");
  return said.split("\n").slice(0, -1); // behind the last line end may be half an id
}

describe("a killed embedded store", () => {
  afterEach(closeAll);

  it("holds everything that was answered", async () => {
    for (const enough of [1, 200, 1000]) {
      const directory = newDirectory();
      const answered = await killed(directory, enough);
      assert.ok(answered.length >= enough);
      const { ledger, audit, mirrorPath } = await openStore(directory);
      for (const id of answered) {
        assert.equal((await ledger.get(id))?.state, "queued");
        assert.equal(await audit.has(id), true);
      }
      const verified = await verifyChain(audit.read(), () => audit.head(), readMirror(mirrorPath));
      assert.deepEqual([verified.ok, verified.problem], [true, undefined]);
    }
  });
});
