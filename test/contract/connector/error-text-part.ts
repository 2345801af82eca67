// Contract: nothing of a record gets into an error, whatever the system writes into its messages.
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { SluiceError } from "../../../src/core/errors.ts";
import type { Bench } from "./subject.ts";

const canary = "Zyxcanaryzyx";

export function describeErrorTexts(bench: () => Bench): void {
  describe("error texts", () => {
    const create = () => {
      const { subject, connector } = bench();
      const body = subject.created(canary, "link-c");
      return connector.create({ type: subject.type, linkId: "link-c", body });
    };

    it("hold no value of the record when the system quotes it in its refusal", async () => {
      const { subject } = bench();
      await create();
      subject.sandbox.rejectWrites();
      const error = await create().catch((thrown: unknown) => thrown);
      assert.ok(error instanceof SluiceError);
      assert.equal(error.code, "system-rejected");
      assert.equal(error.retry, "permanent");
      assertClean(error);
    });

    for (const fault of ["unavailable", "lost-answer", "throttled", "unauthorized"] as const) {
      it(`hold no value of the record after ${fault}`, async () => {
        const { subject, connector } = bench();
        await create();
        subject.sandbox.setFault(fault);
        assertClean(await create().catch((thrown: unknown) => thrown));
        const found = connector.findPerson(subject.type, subject.query(canary), subject.fields);
        assertClean(await found.catch((thrown: unknown) => thrown));
      });
    }
  });
}

function assertClean(error: unknown): void {
  assert.ok(error instanceof SluiceError);
  assert.equal(error.cause, undefined);
  const text = inspect(error, { depth: 12, showHidden: true }) + String(error.stack) + JSON.stringify(error);
  assert.ok(!text.toLowerCase().includes(canary.toLowerCase()), "the error holds a value of the record");
}
