// Reading again what other processes changed: in order, each once, and no answer once the last reading is too old.
import assert from "node:assert/strict";
import { HotReads } from "../../../src/exchange/hot-reads.ts";
import type { Change, Changes } from "../../../src/exchange/ports.ts";
import { TestClock } from "../../e2e/test-clock.ts";

class Announced implements Changes {
  readonly all: Change[] = [];
  down = false;
  announce(ref: string): void {
    this.all.push({ n: this.all.length + 1, kind: "consent", ref });
  }
  head(): Promise<number> {
    return Promise.resolve(this.all.length);
  }
  since(n: number, limit: number): Promise<readonly Change[]> {
    if (this.down) return Promise.reject(new Error("the store is down"));
    return Promise.resolve(this.all.slice(n, n + limit));
  }
}

function hotReads(options: { maxAgeMs?: number } = {}) {
  const clock = new TestClock();
  const changes = new Announced();
  const reloaded: string[] = [];
  const failing = { next: false };
  const hot = new HotReads(changes, clock, options.maxAgeMs ?? 1_000, ({ ref }) => {
    if (failing.next) return Promise.reject(new Error("not now"));
    reloaded.push(ref);
    return Promise.resolve();
  });
  return { clock, changes, reloaded, hot, failing };
}

describe("hot reads", () => {
  it("read each change once, in order, from the moment of the start", async () => {
    const { changes, hot, reloaded } = hotReads();
    changes.announce("before");
    await hot.begin();
    for (let n = 0; n < 1_100; n += 1) changes.announce(String(n));
    await hot.catchUp();
    await hot.catchUp();
    assert.deepEqual(
      reloaded,
      Array.from({ length: 1_100 }, (_, n) => String(n)),
    );
  });

  it("what was announced before the question is there after it, also while another reading is under way", async () => {
    const { changes, hot, reloaded } = hotReads();
    await hot.begin();
    const first = hot.catchUp();
    changes.announce("a");
    const second = hot.catchUp();
    changes.announce("b");
    const third = hot.catchUp();
    await Promise.all([first, second, third]);
    assert.deepEqual(reloaded, ["a", "b"]);
  });

  it("a reload that fails is tried again, and until then nothing is fresh", async () => {
    const { clock, changes, hot, reloaded, failing } = hotReads();
    await hot.begin();
    changes.announce("a");
    failing.next = true;
    await assert.rejects(hot.catchUp());
    clock.jump(1_001);
    assert.equal(hot.isFresh(), false);
    failing.next = false;
    await hot.catchUp();
    assert.deepEqual(reloaded, ["a"]);
    assert.equal(hot.isFresh(), true);
  });

  it("older than a second, an unreadable store is no answer; readable again, it is", async () => {
    const { clock, changes, hot } = hotReads();
    assert.equal(hot.isFresh(), false);
    await hot.begin();
    assert.equal(hot.isFresh(), true);
    clock.jump(1_001);
    changes.down = true;
    await assert.rejects(hot.need(), { code: "facts-stale" });
    changes.down = false;
    await hot.need();
    assert.equal(hot.isFresh(), true);
  });

  it("where nobody else writes, age does not matter", async () => {
    const { clock, hot } = hotReads({ maxAgeMs: Infinity });
    clock.jump(60_000);
    assert.equal(hot.isFresh(), true);
    await hot.need();
  });
});
