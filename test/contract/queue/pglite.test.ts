// The Queue port on embedded PGlite, and what is special to it: the directory.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BullQueue } from "../../../src/queue/bull-queue.ts";
import type { OpenConnection, QueueConnection } from "../../../src/queue/connection.ts";
import { pgliteConnection } from "../../../src/queue/pglite.ts";
import { pgliteTemplate } from "../../backends/pglite-template.ts";
import { queueContract, until } from "./contract.ts";

const template = await pgliteTemplate();
const idKey = randomBytes(32);

/** PGlite belongs to one process and one opening: the contract's second opening gets the first one's instance. */
function shared(open: OpenConnection): { readonly open: OpenConnection; readonly wipe: () => Promise<void> } {
  let first: Promise<QueueConnection> | undefined;
  return {
    open: async () => {
      if (first) return { ...(await first), close: () => Promise.resolve() };
      return (first = open());
    },
    wipe: async () => {
      const queue = (await (first ?? open())).queue("lanes") as unknown as {
        obliterate(how: { force: boolean }): Promise<void>;
        close(): Promise<void>;
      };
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
}

/** One for the whole contract: opening it again empties the queue. */
let home: string | undefined;

queueContract("PGlite", {
  prepare: async () => {
    home = await mkdtemp(join(tmpdir(), "sluice-queue-"));
  },
  bench: () => {
    const opening = pgliteConnection(join(home ?? "", "queue"), { template });
    return Promise.resolve({ ...shared(opening), dispose: () => Promise.resolve() });
  },
});

after(async () => {
  if (home) await rm(home, { recursive: true, force: true });
});

describe("PGlite directory", function () {
  this.timeout(60_000);
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "sluice-queue-"));
    await openOnce();
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  async function openOnce(): Promise<void> {
    const queue = await BullQueue.open(pgliteConnection(join(dir, "queue"), { template }), { idKey });
    try {
      const runs: string[] = [];
      await queue.onWake((lane) => Promise.resolve(void runs.push(lane)), 1);
      await queue.wake("person-1");
      await until(() => runs.length > 0);
      await queue.wake("person-2");
    } finally {
      await queue.close();
    }
  }

  const damages: Readonly<Record<string, () => Promise<unknown>>> = {
    "left alone": () => Promise.resolve(),
    deleted: () => rm(join(dir, "queue"), { recursive: true }),
    "without its version file": () => rm(join(dir, "queue", "PG_VERSION")),
    "of another version": () => writeFile(join(dir, "queue", "PG_VERSION"), "9.1\n"),
    "with an empty control file": () => truncate(join(dir, "queue", "global", "pg_control"), 0),
    "with a control file of noise": () => writeFile(join(dir, "queue", "global", "pg_control"), randomBytes(8192)),
    "without its tables": () => rm(join(dir, "queue", "base"), { recursive: true }),
    "without its log": () => rm(join(dir, "queue", "pg_wal"), { recursive: true }),
    "with a log of noise": async () => {
      const wal = join(dir, "queue", "pg_wal");
      for (const name of await readdir(wal)) {
        if (/^[0-9A-F]{24}$/.test(name)) await writeFile(join(wal, name), randomBytes(65536));
      }
    },
  };
  for (const [what, damage] of Object.entries(damages)) {
    it(`works when it is ${what}`, async () => {
      await damage();
      await openOnce();
    });
  }

  it("forgets what an earlier process left behind", async () => {
    const queue = await BullQueue.open(pgliteConnection(join(dir, "queue"), { template }), { idKey });
    assert.deepEqual(await queue.stats(), { waiting: 0, active: 0 });
    await queue.close();
  });

  it("is not emptied when it holds foreign files", async () => {
    await truncate(join(dir, "queue", "global", "pg_control"), 0);
    await writeFile(join(dir, "queue", "letter.txt"), "mine");
    await assert.rejects(openOnce(), { code: "config-invalid" });
    assert.ok((await readdir(join(dir, "queue"))).includes("letter.txt"));
    await rm(join(dir, "queue", "letter.txt"));
    await openOnce();
  });

  it("survives a template of noise", async () => {
    const noise = join(dir, "noise.tar");
    await writeFile(noise, randomBytes(4096));
    const queue = await BullQueue.open(pgliteConnection(join(dir, "other"), { template: noise }), { idKey });
    await queue.wake("person-1");
    await queue.close();
  });
});
