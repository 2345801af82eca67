// The dispatcher and the governor together: each request is admitted, each place comes back, and what was never sent is
// never taken for sent.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { networkFailure } from "../../../../src/connector/failures.ts";
import { asTokenRequest, withGuard, type RequestGuard } from "../../../../src/connector/guard.ts";
import { openOutbound, type Outbound } from "../../../../src/connector/outbound.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { SluiceError } from "../../../../src/core/errors.ts";
import type { Limits } from "../../../../src/exchange/governor/budget.ts";
import type { Governor } from "../../../../src/exchange/governor/governor.ts";
import { governor, MemoryRegisters } from "./bench.ts";

describe("a governed request", () => {
  let server: Server;
  let origin: string;
  let arrived: string[];
  let answer: (response: ServerResponse, path: string) => void;
  let registers: MemoryRegisters;
  let http: Outbound;
  let one: Governor;

  const open = (own: Partial<Limits> = {}, timeoutMs = 1_000): void => {
    registers = new MemoryRegisters();
    one = governor("p1", registers, systemClock, own);
    const bounds = { timeoutMs, concurrency: own.concurrency ?? 4, maxBytes: 100 };
    http = openOutbound({ origins: [origin], ...bounds, admission: one });
  };
  beforeEach(async () => {
    arrived = [];
    answer = (response) => response.end("{}");
    server = createServer((request, response) => {
      arrived.push(request.url ?? "");
      answer(response, request.url ?? "");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    await http.close();
    await one.close();
    server.closeAllConnections();
    server.close();
  });

  const call = async (path: string, init: RequestInit = {}): Promise<number> => {
    try {
      const response = await http.fetch(origin + path, init);
      await response.text();
      return response.status;
    } catch (error) {
      throw networkFailure(error, { unsafe: init.method !== undefined });
    }
  };
  const failing = async (made: Promise<unknown>): Promise<SluiceError> => {
    const error = await made.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof SluiceError, "it went through");
    return error;
  };
  const guardThat = (refuses: boolean): RequestGuard => ({
    requestId: "x",
    check() {
      if (refuses) throw new SluiceError("not-sent", "the guard refused");
    },
  });

  it("gives its place back, whatever becomes of it", async () => {
    open({ concurrency: 1, breaker: { failures: 100, baseMs: 1_000, capMs: 1_000 } }, 300);
    await call("/well");
    await failing(withGuard(guardThat(true), () => call("/refused")));
    answer = (response) => void response.destroy();
    await failing(call("/cut"));
    answer = (response) => void response.end("x".repeat(1_000));
    await failing(call("/large"));
    answer = () => undefined;
    await failing(call("/hangs"));
    const aborted = AbortSignal.timeout(50);
    await assert.rejects(http.fetch(`${origin}/aborted`, { signal: aborted }));
    answer = (response) => void response.writeHead(204).end();
    const unread = await http.fetch(`${origin}/unread`);
    await unread.body?.cancel();
    answer = (response) => response.end("{}");
    assert.equal(await call("/last"), 200);
    assert.equal(one.state().inFlight, 0);
    assert.ok(!arrived.includes("/refused"));
  });

  it("counts a token request inside an exchange as one more, and neither waits for the other", async () => {
    open({ concurrency: 1 });
    const guard = guardThat(false);
    await withGuard(guard, async () => {
      await asTokenRequest(() => call("/token", { method: "POST" }));
      await call("/record");
    });
    assert.deepEqual(arrived, ["/token", "/record"]);
    assert.equal(await call("/next"), 200);
  });

  it("a write that finds no place in half its time is given up: transient, and not sent afterwards either", async () => {
    open({ concurrency: 1 }, 600);
    answer = (response, path) => {
      if (path !== "/slow") response.end("{}");
      else setTimeout(() => response.end("{}"), 500);
    };
    const slow = call("/slow");
    const error = await failing(call("/write", { method: "POST", body: "{}" }));
    assert.deepEqual([error.code, error.retry], ["system-busy", "transient"]);
    assert.equal(await slow, 200);
    assert.equal(await call("/write-2", { method: "POST", body: "{}" }), 200);
    assert.deepEqual(arrived, ["/slow", "/write-2"]);
  });

  it("a write that was sent and had no answer stays ambiguous, and counts as a failure of the system", async () => {
    open({ breaker: { failures: 1, baseMs: 60_000, capMs: 60_000 } }, 300);
    answer = () => undefined;
    const error = await failing(call("/write", { method: "POST", body: "{}" }));
    assert.deepEqual([error.code, error.retry], ["system-timeout", "ambiguous"]);
    const next = await failing(call("/next"));
    assert.deepEqual([next.code, next.retry], ["system-unreachable", "transient"]);
    assert.deepEqual(arrived, ["/write"]);
  });

  it("a refusal by the guard says nothing of the system", async () => {
    open({ breaker: { failures: 1, baseMs: 60_000, capMs: 60_000 } });
    for (let n = 0; n < 5; n += 1) await failing(withGuard(guardThat(true), () => call("/refused")));
    assert.equal(await call("/next"), 200);
  });

  it("a system that cannot be connected to is left alone", async () => {
    open({ breaker: { failures: 2, baseMs: 60_000, capMs: 60_000 } });
    server.close();
    server.closeAllConnections();
    await once(server, "close");
    for (let n = 0; n < 2; n += 1) assert.match((await failing(call("/down"))).message, /ECONNREFUSED/);
    assert.match((await failing(call("/down"))).message, /failed 2 times/);
  });
});
