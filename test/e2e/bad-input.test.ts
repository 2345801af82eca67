// What the outside sends that it should not, and systems that do not answer: a clear answer, a record, no crash, no PHI back.
import assert from "node:assert/strict";
import type { JsonObject } from "../../src/core/json.ts";
import { contactOf, eventOf, patientOf } from "./persons.ts";
import { PracticeRun, textOf, until } from "./practice-run.ts";
import { signedHeaders } from "./signed-notice.ts";

interface Sent {
  readonly system?: string;
  readonly body: string;
  readonly id?: string;
  /** Seconds to add to the time stamp. */
  readonly shift?: number;
  readonly secret?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

describe("bad input", function () {
  this.timeout(120_000);
  let run: PracticeRun;
  let serial = 0;

  before(async () => {
    run = await PracticeRun.start();
  });
  after(() => run.close());

  async function send(sent: Sent): Promise<{ status: number; answer: JsonObject; text: string }> {
    const { system = "crm", body, id = `bad-${(serial += 1)}`, shift = 0, secret = run.noticeSecret } = sent;
    const response = await fetch(`${run.running.address}/webhooks/${system}`, {
      method: "POST",
      body,
      headers: { ...signedHeaders(secret, id, body, run.clock.now() + shift * 1000), ...sent.headers },
    });
    const text = await response.text();
    return { status: response.status, text, answer: JSON.parse(text) as JsonObject };
  }
  const good = JSON.stringify({ type: "Contact", id: "003000000000001AAA", event: "change" });
  const rowCount = async (): Promise<number> => (await run.rows()).length;

  it("a good notice is taken", async () => {
    const { status, answer } = await send({ body: good });
    assert.equal(status, 202);
    assert.deepEqual(answer, { accepted: 1 });
  });

  it("the same notice twice makes one exchange", async () => {
    await send({ body: good, id: "twice" });
    const before = await rowCount();
    assert.equal((await send({ body: good, id: "twice" })).status, 202);
    assert.equal(await rowCount(), before);
  });

  const secretWord = "Xovaketiru";
  const malformed: Readonly<Record<string, string>> = {
    "no JSON": `{"type": "Contact", ${secretWord}`,
    "an empty body": "",
    "a list": "[]",
    "a number": "4711",
    "no id": JSON.stringify({ type: "Contact", event: "change", note: secretWord }),
    "an id of the wrong type": JSON.stringify({ type: "Contact", id: 12, event: "change" }),
    "an id with a path in it": JSON.stringify({ type: "Contact", id: "../../Patient/1", event: "change" }),
    "an unknown event": JSON.stringify({ type: "Contact", id: "003000000000001AAA", event: secretWord }),
    "a type that is no name": JSON.stringify({ type: "Contact;DROP", id: "003000000000001AAA", event: "change" }),
    "a key twice": '{"type":"Contact","type":"Event","id":"003000000000001AAA","event":"nothing"}',
    "very deep": `${"[".repeat(5_000)}${"]".repeat(5_000)}`,
  };
  for (const [what, body] of Object.entries(malformed)) {
    it(`signed, but ${what}: 400, says what is wanted, repeats nothing, makes no exchange`, async () => {
      const before = await rowCount();
      const { status, answer, text } = await send({ body });
      assert.equal(status, 400, text);
      assert.equal(answer["error"], "input-malformed");
      assert.ok(answer["id"]);
      assert.ok(!text.includes(secretWord));
      assert.equal(await rowCount(), before);
    });
  }

  it("signed, but of a type that no channel carries: 422", async () => {
    const { status, answer } = await send({ body: good.replace("Contact", "Opportunity") });
    assert.equal(status, 422);
    assert.equal(answer["error"], "input-unknown-type");
    assert.ok(answer["hint"]);
  });

  for (const size of [17_000, 3_000_000]) {
    it(`too large (${size} characters): 413`, async () => {
      const { status } = await send({
        body: JSON.stringify({ type: "Contact", id: "x".repeat(size), event: "change" }),
      });
      assert.equal(status, 413);
    });
  }

  describe("who did not prove who it is learns nothing", () => {
    const other = `whsec_${Buffer.alloc(32, 3).toString("base64")}`;
    const cases: Readonly<Record<string, Partial<Sent>>> = {
      "a wrong signature": { secret: other },
      "no signature": { headers: { "webhook-signature": "" } },
      "a signature that is none": { headers: { "webhook-signature": "v1,!!!!" } },
      "an old time stamp": { shift: -600 },
      "one from the future": { shift: 600 },
      "a time stamp that is none": { headers: { "webhook-timestamp": "yesterday" } },
      "an unknown system": { system: "nowhere" },
      "a system without webhooks": { system: "ehr" },
      "a system whose name is an object's own": { system: "__proto__" },
      "a wrong signature over nonsense": { secret: other, body: "{{{" },
    };
    for (const [what, sent] of Object.entries(cases)) {
      it(`${what}: 401, the same answer as for all the others`, async () => {
        const before = await rowCount();
        const { status, answer } = await send({ body: good, ...sent });
        const { id, ...rest } = answer;
        assert.equal(status, 401);
        assert.equal(typeof id, "string");
        assert.deepEqual(rest, { error: "signature-invalid" });
        assert.equal(await rowCount(), before);
      });
    }

    it("such refusals are on record, counted", async () => {
      const entry = await until("the aggregate entry", async () =>
        (await run.audit()).find((header) => header["cause"] === "webhook:signature-invalid"),
      );
      assert.match(textOf(entry["reason"]), /^\d+ refused$/);
      assert.equal(entry["kind"], "denial");
    });
  });

  describe("bad records", () => {
    it("a visit whose patient cannot be told waits for a person; another's goes through", async () => {
      const unknown = run.sandboxes.crm.put("Contact", contactOf(0, { Birthdate: null }));
      const who = run.sandboxes.crm.put("Contact", contactOf(1));
      const bad = run.sandboxes.crm.put("Event", eventOf(unknown));
      run.sandboxes.crm.put("Event", eventOf(who));
      await until("the good one", () => run.sandboxes.ehr.all("Appointment").length === 1);
      const row = await until("the other to wait", async () => {
        const newest = await run.newest("crm-to-ehr", bad);
        return newest?.cause === "person-not-linked" ? newest : undefined;
      });
      assert.equal(row.state, "queued");
      assert.equal(row.failures, 0);
      await until("its patient's item", async () => {
        const newest = await run.newest("crm-to-ehr", unknown);
        return newest?.state === "quarantined" && newest.cause === "no-demographics";
      });
    });

    it("a patient without a birth date, and a date that is none: a person decides, named by field", async () => {
      run.sandboxes.ehr.put(patientOf(20, { birthDate: "2031-02-28" }));
      const { birthDate: _none, ...undated } = patientOf(21);
      run.sandboxes.ehr.put(undated);
      for (const [id, cause] of [
        ["patient-20", "value-refused"],
        ["patient-21", "no-demographics"],
      ] as const) {
        const row = await until(cause, async () => {
          const newest = await run.newest("ehr-to-crm", id);
          return newest?.state === "quarantined" ? newest : undefined;
        });
        assert.equal(row.cause, cause);
        assert.ok(!row.problem?.text.includes("2031"));
      }
    });
  });

  describe("systems that do not answer", () => {
    it("unreachable: it waits, named, without a failure; when the system is back it goes", async () => {
      run.sandboxes.ehr.setFault(() => "unavailable");
      const contact = run.sandboxes.crm.put("Contact", contactOf(30));
      const row = await until("the exchange to wait", async () => {
        const newest = await run.newest("crm-to-ehr", contact);
        return newest && newest.waitingSince > 0 ? newest : undefined;
      });
      assert.match(row.cause ?? "", /^system-|destination-feed-behind|consent-facts-too-old/);
      assert.equal(row.failures, 0);
      run.sandboxes.ehr.setFault(undefined);
      await until("the patient", () =>
        run.sandboxes.ehr.all("Patient").some((one) => one["birthDate"] === contactOf(30)["Birthdate"]),
      );
    });

    it("a write that is never answered: given up, read back, and made once", async () => {
      let hung = 0;
      run.sandboxes.ehr.setFault(({ method }) => {
        if (method !== "POST" || hung > 0) return undefined;
        hung += 1;
        return "timeout";
      });
      run.sandboxes.crm.put("Contact", contactOf(31));
      const born = contactOf(31)["Birthdate"];
      const there = (): number => run.sandboxes.ehr.all("Patient").filter((one) => one["birthDate"] === born).length;
      await until("the patient", () => there() === 1);
      run.sandboxes.ehr.setFault(undefined);
      await run.quiet();
      assert.equal(hung, 1);
      assert.equal(there(), 1);
    });

    it("it lives: health is still ok", async () => {
      assert.equal((await fetch(`${run.running.address}/healthz`)).status, 200);
    });
  });
});
