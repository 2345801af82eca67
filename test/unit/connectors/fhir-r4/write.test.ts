// Conditional create and version-aware update: what is sent, and what each answer means.
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseJson, type JsonObject } from "../../../../src/core/json.ts";
import { SluiceError } from "../../../../src/core/errors.ts";
import { closeAll, openBench, patient } from "./bench.ts";
import { fhirJson, openScripted } from "./scripted.ts";

afterEach(closeAll);

const create = { type: "Patient", linkId: "link-1", body: patient("Written") };
const update = (version: string | undefined, body: JsonObject = { ...patient("Updated"), id: "p1" }) => ({
  ...{ type: "Patient", linkId: "link-1", id: "p1", version, changedAt: undefined, body },
});

describe("fhir-r4 create", () => {
  it("sends the link id as condition and as identifier, keeps other identifiers, and no id of its own", async () => {
    const server = await openScripted(() => ({ status: 201, headers: { location: "Patient/p9/_history/4" } }));
    const mrn = { system: "urn:mrn", value: "1" };
    const identifier = [mrn, { system: "urn:sluice:link", value: "an older one" }];
    const written = await server.connector.create({ ...create, body: { ...patient("Sent"), id: "x", identifier } });
    assert.deepEqual(written, { id: "p9", version: "4" });
    const [request] = server.requests;
    assert.equal(request?.headers["if-none-exist"], "identifier=urn:sluice:link|link-1");
    const sent = parseJson(request?.body ?? "") as JsonObject;
    assert.deepEqual(sent["identifier"], [mrn, { system: "urn:sluice:link", value: "link-1" }]);
    assert.equal(sent["id"], undefined);
  });

  it("takes id and version from an empty body's headers, from a body that is no JSON, or from the body alone", async () => {
    const headers = { location: "https://ehr.example/r4/Patient/p1", etag: 'W/"0"' };
    const answers = [
      { status: 201, headers },
      { status: 201, headers: { ...headers, "content-type": "text/plain" }, body: "created" },
      fhirJson({ ...patient("Body"), id: "p1", meta: { versionId: "0" } }, 201),
    ];
    for (const answer of answers) {
      const server = await openScripted(() => answer);
      assert.deepEqual(await server.connector.create(create), { id: "p1", version: "0" });
    }
  });

  it("does not know the outcome when a success names no id", async () => {
    const server = await openScripted(() => ({ status: 201 }));
    await assert.rejects(server.connector.create(create), { code: "system-answer-unknown", retry: "ambiguous" });
  });

  it("answers the existing record, and is stopped by two of them", async () => {
    const bench = await openBench();
    const first = await bench.connector.create(create);
    assert.deepEqual(await bench.connector.create(create), { ...first, existing: true });
    assert.equal(bench.sandbox.all("Patient").length, 1);
    bench.sandbox.put({ ...patient("Twin"), identifier: [{ system: "urn:sluice:link", value: "link-1" }] });
    await assert.rejects(bench.connector.create(create), { code: "record-ambiguous", retry: "permanent" });
  });

  it("writes no Consent, no body of another type, and under no link id that is not one", async () => {
    const server = await openScripted(() => ({ status: 201 }));
    await assert.rejects(server.connector.create({ ...create, type: "Consent" }), { code: "input-unknown-type" });
    await assert.rejects(server.connector.create({ ...create, type: "Appointment" }), { code: "input-malformed" });
    await assert.rejects(server.connector.create({ ...create, linkId: "a|b&_id=1" }), { code: "input-malformed" });
    assert.equal(server.requests.length, 0);
  });

  it("sends a body of several hundred kilobytes whole", async () => {
    const bench = await openBench();
    const name = [{ family: "Large".repeat(60_000), given: ["Ana"] }];
    const { id } = await bench.connector.create({ ...create, body: { ...create.body, name } });
    assert.deepEqual(bench.sandbox.get("Patient", id)?.["name"], name);
  });
});

describe("fhir-r4 update", () => {
  it("sends the body as it is, under If-Match", async () => {
    const server = await openScripted(() => ({ status: 200, headers: { etag: 'W/"8"' } }));
    const body = { ...patient("Updated"), id: "p1" };
    assert.deepEqual(await server.connector.update(update("7", body)), { id: "p1", version: "8" });
    assert.equal(server.requests[0]?.headers["if-match"], 'W/"7"');
    assert.deepEqual(parseJson(server.requests[0]?.body ?? ""), body);
  });

  it("is not made without a version, or with one that is none, or on another record's body", async () => {
    const server = await openScripted(() => ({ status: 200 }));
    await assert.rejects(server.connector.update(update(undefined)), { code: "system-rejected" });
    await assert.rejects(server.connector.update(update('1", W/"2')), { code: "system-rejected" });
    const other = { ...patient("Other"), id: "p2" };
    await assert.rejects(server.connector.update(update("1", other)), { code: "input-malformed" });
    assert.equal(server.requests.length, 0);
  });

  for (const conflictStatus of [409, 412] as const) {
    it(`a stale version is a conflict where the server says ${conflictStatus}`, async () => {
      const bench = await openBench({ conflictStatus });
      const id = bench.sandbox.put(patient("First")).id;
      bench.sandbox.edit("Patient", id, (resource) => ({ ...resource, active: true }));
      const ours = { ...update("1", { ...patient("Ours"), id }), id };
      await assert.rejects(bench.connector.update(ours), { code: "system-conflict", retry: "transient" });
      assert.deepEqual(await bench.connector.update({ ...ours, version: "2" }), { id, version: "3" });
    });
  }
});

describe("fhir-r4 failures", () => {
  it("take codes and element names from an OperationOutcome, and nothing else", async () => {
    const issue = [
      { severity: "warning", code: "informational", details: { coding: [{ code: "4122" }] } },
      {
        severity: "error",
        code: "value",
        details: { coding: [{ code: "E-17" }], text: "Zyx" },
        diagnostics: "Zyx born 1980",
        expression: ["Patient.name[0].family", "Patient.where(name='Zyx')", "Zyx"],
      },
    ];
    const server = await openScripted(() => fhirJson({ resourceType: "OperationOutcome", issue }, 422));
    await assert.rejects(server.connector.create(create), (error: SluiceError) => {
      assert.equal(error.code, "system-rejected");
      assert.equal(error.detail.vendorCode, "value/E-17");
      assert.deepEqual(error.detail.elements, ["Patient.name.family"]);
      assert.ok(!JSON.stringify([error.message, error.detail]).includes("Zyx"));
      return true;
    });
  });

  it("never let a text of the server into the error, whatever its body is", async () => {
    let body = "";
    const server = await openScripted(() => ({ status: 400, body }));
    const codes = fc.record({
      resourceType: fc.constant("OperationOutcome"),
      issue: fc.array(
        fc.record({
          severity: fc.constantFrom("error", "fatal"),
          code: fc.constantFrom("value", "zYx Canary"),
          details: fc.record({
            text: fc.constant("zYx Canary"),
            coding: fc.array(fc.record({ code: fc.constant("zYx Canary") })),
          }),
          expression: fc.array(fc.constantFrom("zYx Canary", "Patient.id='zYx Canary'", "Patient.id")),
        }),
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(codes, fc.constant("zYx Canary"), fc.jsonValue()), async (value) => {
        body = JSON.stringify(value);
        const error = await server.connector.create(create).catch((thrown: unknown) => thrown);
        assert.ok(error instanceof SluiceError && error.code === "system-rejected");
        assert.ok(!JSON.stringify([error.message, error.detail]).includes("Canary"));
      }),
      { numRuns: 40 },
    );
  });

  it("keep the wait that a throttling server asks for", async () => {
    const server = await openScripted(() => ({ status: 429, headers: { "retry-after": "7" }, body: "slow down" }));
    await assert.rejects(server.connector.create(create), (error: SluiceError) => {
      assert.equal(error.code, "system-throttled");
      assert.equal(error.detail.retryAfter, 7000);
      return true;
    });
  });
});
