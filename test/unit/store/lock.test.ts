// The lock on a data directory: one process at a time, named to the next one, and free when the holder was killed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { SluiceError } from "../../../src/core/errors.ts";
import { acquireLock } from "../../../src/store/embedded/lock.ts";
import { closeAll, newDirectory } from "./opened.ts";

const script = fileURLToPath(new URL("./lock-holder.ts", import.meta.url));

/** A process that holds the lock, once it has said so. */
async function holder(directory: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [script, directory], { stdio: ["pipe", "pipe", "inherit"] });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  assert.equal(String(said).trim(), "held");
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}

describe("the lock on a data directory", () => {
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of children.splice(0))
      if (child.exitCode === null && child.signalCode === null) await end(child, "SIGKILL");
    await closeAll();
  });

  it("is held by one process, which the refusal names", async () => {
    const directory = newDirectory();
    const child = await holder(directory);
    children.push(child);
    assert.throws(
      () => acquireLock(directory),
      (error: unknown) =>
        error instanceof SluiceError &&
        error.code === "data-locked" &&
        Boolean(error.detail.hint?.includes(`${child.pid}`)),
    );
    acquireLock(newDirectory()).release();
  });

  it("falls with a holder that is killed", async () => {
    const directory = newDirectory();
    const child = await holder(directory);
    children.push(child);
    assert.throws(() => acquireLock(directory), { code: "data-locked" });
    await end(child, "SIGKILL");
    acquireLock(directory).release();
  });

  it("is held once in one process too, and free after release", () => {
    const directory = newDirectory();
    const lock = acquireLock(directory);
    assert.throws(() => acquireLock(directory), { code: "data-locked" });
    lock.release();
    const next = acquireLock(directory);
    lock.release();
    assert.throws(() => acquireLock(directory), { code: "data-locked" });
    next.release();
  });
});
