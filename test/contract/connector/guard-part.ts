// Contract: every request passes the one dispatcher: the guard of the running exchange, its request id, the allow-list.
import assert from "node:assert/strict";
import { withGuard, type RequestGuard } from "../../../src/connector/guard.ts";
import { SluiceError } from "../../../src/core/errors.ts";
import type { Bench } from "./subject.ts";

interface WatchingGuard extends RequestGuard {
  readonly seen: { readonly unsafe: boolean }[];
}

function guard(requestId: string, refuse: (request: { readonly unsafe: boolean }) => boolean): WatchingGuard {
  const seen: { readonly unsafe: boolean }[] = [];
  return {
    requestId,
    seen,
    check: (request) => {
      seen.push({ unsafe: request.unsafe });
      if (refuse(request)) throw new SluiceError("not-sent", "the guard refused the request");
    },
  };
}

export function describeGuard(bench: () => Bench): void {
  describe("the guard of the exchange", () => {
    const create = (requestId: string, refuse: (request: { readonly unsafe: boolean }) => boolean) => {
      const { subject, connector } = bench();
      const watching = guard(requestId, refuse);
      const body = subject.created("Guarded", "link-g");
      const done = withGuard(watching, () => connector.create({ type: subject.type, linkId: "link-g", body }));
      return { watching, done };
    };

    it("refuses a write before the system sees it; lets it through once it agrees", async () => {
      const { subject } = bench();
      const refused = create("exchange-1", (request) => request.unsafe);
      await assert.rejects(refused.done, { code: "not-sent", retry: "transient" });
      assert.equal(subject.sandbox.counts.writes, 0);
      assert.equal(subject.sandbox.size(), 0);
      await create("exchange-2", () => false).done;
      assert.equal(subject.sandbox.size(), 1);
    });

    it("sees one unsafe request a create, token requests not counted, and its id is sent along", async () => {
      const { subject } = bench();
      const { watching, done } = create("exchange-3", () => false);
      await done;
      assert.equal(watching.seen.filter((request) => request.unsafe).length, 1);
      assert.equal(subject.sandbox.requestIds().at(-1), "exchange-3");
    });

    it("is asked for reads and polls too", async () => {
      const { subject, connector } = bench();
      const id = subject.sandbox.put(subject.person("Watched"));
      await connector.read(subject.type, id, subject.fields);
      const before = subject.sandbox.counts.requests;
      const request = { type: subject.type, cursor: undefined, fields: subject.fields, limit: 10 };
      const no = guard("exchange-4", () => true);
      await assert.rejects(
        withGuard(no, () => connector.read(subject.type, id, subject.fields)),
        { code: "not-sent" },
      );
      await assert.rejects(
        withGuard(no, () => connector.poll(request)),
        { code: "not-sent" },
      );
      assert.equal(subject.sandbox.counts.requests, before);
      const yes = guard("exchange-5", () => false);
      await withGuard(yes, () => connector.read(subject.type, id, subject.fields));
      await withGuard(yes, () => connector.poll(request));
      assert.ok(yes.seen.length >= 2 && yes.seen.every((seen) => !seen.unsafe));
      assert.ok(subject.sandbox.counts.requests >= before + 2);
    });
  });

  it("talks to no host outside its allow-list, and to those inside it", async () => {
    const { subject, connector, open } = bench();
    const fenced = open({ origins: ["https://elsewhere.example"] });
    await assert.rejects(fenced.read(subject.type, subject.missingId, subject.fields), { code: "host-not-allowed" });
    assert.equal(subject.sandbox.counts.requests, 0);
    await connector.read(subject.type, subject.missingId, subject.fields);
    assert.ok(subject.sandbox.counts.requests > 0);
  });
}
