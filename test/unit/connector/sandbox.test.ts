// The ground of the sandboxes: a network that is cut loses requests of every kind unanswered, and is whole again afterwards.
import assert from "node:assert/strict";
import { startLoopback, type RunningServer } from "../../../src/connector/sandbox.ts";

describe("connector/sandbox: a cut network", () => {
  let server: RunningServer;
  let arrived = 0;

  before(async () => {
    server = await startLoopback(async () => {
      arrived += 1;
      return { status: 200, body: "here" };
    });
  });
  after(() => server.close());

  function ask(signal?: AbortSignal): Promise<string> {
    return fetch(server.origin, signal ? { signal } : {}).then((response) => response.text());
  }

  it("answers while it is whole", async () => {
    assert.equal(await ask(), "here");
  });

  it("breaks connections off: those that are there and new ones", async () => {
    const before = arrived;
    server.cutNetwork("broken");
    await assert.rejects(ask(), TypeError);
    server.cutNetwork(undefined);
    assert.equal(arrived, before);
    assert.equal(await ask(), "here");
  });

  it("swallows requests, and does not answer them later either", async () => {
    const before = arrived;
    server.cutNetwork("silent");
    const asked = ask().then(
      () => "answered",
      () => "lost",
    );
    // A second request is swallowed too: the server sees connections and does nothing.
    const second = ask(AbortSignal.timeout(50));
    await assert.rejects(second, { name: "TimeoutError" });
    server.cutNetwork(undefined);
    assert.equal(await asked, "lost");
    assert.equal(arrived, before);
    assert.equal(await ask(), "here");
  });
});
