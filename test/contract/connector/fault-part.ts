// Contract: each fault of a system becomes the right error in the right retry class, and the same call without the fault
// gets through. For a write the class says whether it was certainly not applied (transient) or nobody knows (ambiguous).
import assert from "node:assert/strict";
import type { Connector } from "../../../src/connector/contract.ts";
import type { Fault } from "../../../src/connector/sandbox.ts";
import type { ErrorCode, RetryClass } from "../../../src/core/errors.ts";
import type { Bench } from "./subject.ts";

type Expected = readonly [fault: Fault, codes: readonly ErrorCode[], retry: RetryClass];

const onRead: readonly Expected[] = [
  ["unavailable", ["system-busy"], "transient"],
  ["timeout", ["system-timeout"], "transient"],
  ["lost-answer", ["system-unreachable"], "transient"],
  ["throttled", ["system-throttled"], "transient"],
  ["unauthorized", ["system-refused-credential", "system-session-ended"], "transient"],
];

const onWrite: readonly Expected[] = [
  ["unavailable", ["system-busy"], "transient"],
  ["timeout", ["system-timeout"], "ambiguous"],
  ["lost-answer", ["system-answer-unknown"], "ambiguous"],
  ["throttled", ["system-throttled"], "transient"],
  ["unauthorized", ["system-refused-credential", "system-session-ended"], "transient"],
];

const shortTimeoutMs = 400;

export function describeFaults(bench: () => Bench): void {
  /** The call first without the fault (so that tokens are there), then with it, then without it again. */
  const around = async (expected: Expected, call: (connector: Connector) => Promise<unknown>) => {
    const [fault, codes, retry] = expected;
    const { subject, connector, open } = bench();
    const tried = fault === "timeout" ? open({ timeoutMs: shortTimeoutMs }) : connector;
    await tried.read(subject.type, subject.missingId, subject.fields);
    subject.sandbox.setFault(fault);
    await assert.rejects(call(tried), (error: { code: ErrorCode; retry: RetryClass }) => {
      assert.ok(codes.includes(error.code), `${error.code} is not ${codes.join(" or ")}`);
      assert.equal(error.retry, retry);
      return true;
    });
    subject.sandbox.setFault(undefined);
    await call(connector);
  };

  describe("faults of a read", () => {
    for (const expected of onRead) {
      const [fault, codes, retry] = expected;
      it(`${fault}: ${codes.join(" or ")}, ${retry}`, async () => {
        const { subject } = bench();
        const id = subject.sandbox.put(subject.person("Read"));
        await around(expected, (connector) => connector.read(subject.type, id, subject.fields));
      });
    }
  });

  describe("faults of a create", () => {
    for (const expected of onWrite) {
      const [fault, codes, retry] = expected;
      it(`${fault}: ${codes.join(" or ")}, ${retry}; made at most one request and one record`, async () => {
        const { subject } = bench();
        let before = subject.sandbox.counts.writes;
        await around(expected, (connector) => {
          assert.ok(subject.sandbox.counts.writes - before <= 1, "a write was repeated by the connector");
          before = subject.sandbox.counts.writes;
          const body = subject.created("Fault", "link-f");
          return connector.create({ type: subject.type, linkId: "link-f", body });
        });
        assert.equal(subject.sandbox.size(), 1);
      });
    }

    it("lost-answer: what was applied is found again under its link id", async () => {
      const { subject, connector } = bench();
      subject.sandbox.setFault("lost-answer");
      const body = subject.created("Lost", "link-l");
      await assert.rejects(connector.create({ type: subject.type, linkId: "link-l", body }), { retry: "ambiguous" });
      subject.sandbox.setFault(undefined);
      assert.equal((await connector.findByLink(subject.type, "link-l", subject.fields)).length, 1);
    });
  });

  it("a system that does not listen is unreachable, also for a write", async () => {
    const { subject, connector } = bench();
    await connector.read(subject.type, subject.missingId, subject.fields);
    await subject.sandbox.close();
    // Uses up the connection that was kept alive: a write on one that is just ending would be ambiguous, and rightly so.
    await assert.rejects(connector.read(subject.type, subject.missingId, subject.fields), { retry: "transient" });
    const body = subject.created("Down", "link-d");
    await assert.rejects(connector.create({ type: subject.type, linkId: "link-d", body }), {
      code: "system-unreachable",
      retry: "transient",
    });
  });
}
