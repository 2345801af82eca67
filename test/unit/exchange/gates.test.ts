// The four values that a release needs, in order, cannot be made by hand: not at run time, and not in code that compiles.
// `npx tsc` checks the second half: each `@ts-expect-error` fails it once the line compiles.
import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { Decision } from "../../../src/core/decision.ts";
import { deliver } from "../../../src/exchange/deliver.ts";
import { Judged, type Permit } from "../../../src/exchange/judge.ts";
import { Merged } from "../../../src/exchange/merge.ts";
import type { Intent } from "../../../src/exchange/ports.ts";
import { Recorded } from "../../../src/exchange/record.ts";
import { Minimal } from "../../../src/exchange/reduce.ts";
import type { Run } from "../../../src/exchange/run.ts";
import { Stop } from "../../../src/exchange/stop.ts";

interface Patient {
  readonly name: string;
}

const reason = { gate: "consent", outcome: "permit", rule: "r", citation: "c", text: "t" } as const;
const permitted: Decision = {
  outcome: "permit",
  decidedBy: reason,
  reasons: [reason],
  obligations: [],
  consents: [],
  agreements: [],
};
const permit = { recipient: "crm", purpose: "TREAT", channel: {}, subjects: [], version: "1" } as unknown as Permit;
const patient: Patient = { name: "Rivka" };

/** A run whose ledger answers `kept`; what it was asked to make durable is in `begun`. */
function runWith(kept: boolean): { readonly run: Run; readonly begun: unknown[] } {
  const begun: unknown[] = [];
  const lane = {
    watch: () => ({}),
    renewed: () => undefined,
    hold: { lane: "l", fence: 1 },
    kept: (written: boolean) => {
      if (!written) throw new Error("lane-lost");
    },
  };
  const begin = (...what: unknown[]): Promise<boolean> => {
    begun.push(what);
    return Promise.resolve(kept);
  };
  const run = { row: { id: "row" }, lane, gateway: { store: { ledger: { begin } } } };
  return { run: run as unknown as Run, begun };
}
const intent = { n: 1 } as unknown as Intent;

describe("the values that a release needs", () => {
  it("made in order, the data come out at the end, and only then", async () => {
    const judged = Judged.judge(patient, permitted, permit);
    const minimal = Minimal.reduce(judged, (data) => ({ data, released: ["name"], withheld: [] }));
    const merged = Merged.merge(minimal, (data) => ({ data, changed: ["name"] }));
    const { run, begun } = runWith(true);
    const recorded = await Recorded.record(run, merged, intent, []);
    assert.equal(begun.length, 1);
    assert.deepEqual(await Recorded.deliver(recorded, (data) => Promise.resolve(data)), patient);
  });

  it("a decision that is no permit makes no Judged", () => {
    for (const outcome of ["deny", "unknown"] as const) {
      assert.throws(() => Judged.judge(patient, { ...permitted, outcome }, permit), Stop);
    }
  });

  it("a ledger that did not keep the record makes no Recorded", async () => {
    const judged = Judged.judge(patient, permitted, permit);
    const minimal = Minimal.reduce(judged, (data) => ({ data, released: [], withheld: [] }));
    const merged = Merged.merge(minimal, (data) => ({ data, changed: [] }));
    await assert.rejects(Recorded.record(runWith(false).run, merged, intent, []), /lane-lost/);
  });

  describe("forged at run time: TypeError", () => {
    const looks = { permit, released: [], withheld: [], intent };
    const forged: Readonly<Record<string, (value: never) => unknown>> = {
      Judged: (value) => Judged.open(value),
      Minimal: (value) => Minimal.open(value),
      Merged: (value) => Merged.open(value),
      Recorded: (value) => Recorded.deliver(value, (data) => Promise.resolve(data)),
    };
    const classes = { Judged, Minimal, Merged, Recorded } as const;
    for (const [name, open] of Object.entries(forged)) {
      it(`${name}: an object that looks like one, and one with its prototype`, async () => {
        const { prototype } = classes[name as keyof typeof classes];
        for (const value of [{ ...looks }, Object.assign(Object.create(prototype) as object, looks)]) {
          await assert.rejects(async () => open(value as never), TypeError);
        }
      });
    }

    it("one stage's value in place of the next one's", async () => {
      const judged = Judged.judge(patient, permitted, permit);
      assert.throws(() => Minimal.open(judged as never), TypeError);
      assert.throws(() => Merged.merge(judged as never, (data) => ({ data, changed: [] })), TypeError);
      await assert.rejects(Recorded.record(runWith(true).run, judged as never, intent, []), TypeError);
      await assert.rejects(
        Recorded.deliver(judged as never, (data) => Promise.resolve(data)),
        TypeError,
      );
    });

    it("nothing of the data shows when one of them is printed or serialised", () => {
      const judged = Judged.judge(patient, permitted, permit);
      assert.ok(!JSON.stringify(judged).includes("Rivka"));
      assert.ok(!inspect(judged, { depth: 9, showHidden: true }).includes("Rivka"));
      assert.ok(!Object.values(judged).some((value) => JSON.stringify(value)?.includes("Rivka")));
    });
  });

  it("code that releases what is not on record does not compile", () => {
    // Never called: the compiler is the test. The linter would forbid most of it a second time.
    /* eslint-disable @typescript-eslint/no-unsafe-class-instance-assignment, @typescript-eslint/no-misused-spread,
      @typescript-eslint/no-unsafe-argument */
    async function wrong(
      run: Run,
      judged: Judged<Patient>,
      minimal: Minimal<Patient>,
      merged: Merged<Patient>,
    ): Promise<void> {
      const send = (_connector: unknown, data: unknown): Promise<unknown> => Promise.resolve(data);
      // @ts-expect-error not judged
      Minimal.reduce(patient, (data: Patient) => ({ data, released: [], withheld: [] }));
      // @ts-expect-error not reduced
      Merged.merge(judged, (data: Patient) => ({ data, changed: [] }));
      // @ts-expect-error not merged
      await Recorded.record(run, minimal, intent, []);
      // @ts-expect-error not recorded
      await deliver(run, merged, [judged.permit], send);
      // @ts-expect-error not even judged
      await deliver(run, patient, [judged.permit], send);
      // @ts-expect-error recorded, but not awaited: nobody knows whether it is durable
      await deliver(run, Recorded.record(run, merged, intent, []), [judged.permit], send);
      const recorded = await Recorded.record(run, merged, intent, []);
      // @ts-expect-error a copy is not the recorded value
      await deliver(run, { ...recorded }, [judged.permit], send);
      // @ts-expect-error cannot be made by hand
      await deliver(run, new Recorded(patient, intent), [judged.permit], send);
      await deliver(run, recorded, [judged.permit], send);
    }
    /* eslint-enable */
    assert.equal(typeof wrong, "function");
  });
});
