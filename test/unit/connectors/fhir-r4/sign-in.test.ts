// SMART Backend Services in the fhir-r4 connector against the sandbox EHR's strict token endpoint.
import assert from "node:assert/strict";
import { withGuard, type RequestGuard } from "../../../../src/connector/guard.ts";
import { SluiceError } from "../../../../src/core/errors.ts";
import {
  closeAll,
  keyPair,
  openConnector,
  openSignedBench,
  patient,
  scopes,
  standingClock,
  type Bench,
} from "./bench.ts";

afterEach(closeAll);

describe("fhir-r4 sign-in", () => {
  let bench: Bench;

  const read = () => bench.connector.read("Patient", "nobody", []);
  const create = (linkId = "link-1") => bench.connector.create({ type: "Patient", linkId, body: patient("Signed") });

  for (const algorithm of ["RS384", "ES384"] as const) {
    it(`signs in with ${algorithm} and uses the token until shortly before it expires`, async () => {
      bench = await openSignedBench(algorithm);
      await read();
      bench.clock.advance(260_000);
      await read();
      assert.equal(bench.sandbox.counts.tokens, 1);
      bench.clock.advance(15_000);
      await read();
      assert.equal(bench.sandbox.counts.tokens, 2);
    });
  }

  it("asks for one token when many requests start at once", async () => {
    bench = await openSignedBench();
    await Promise.all(Array.from({ length: 8 }, read));
    assert.equal(bench.sandbox.counts.tokens, 1);
    assert.equal(bench.sandbox.counts.reads, 8);
  });

  it("after a 401 on a read signs in again, once", async () => {
    bench = await openSignedBench();
    await read();
    bench.sandbox.revokeTokens();
    assert.equal(await read(), undefined);
    assert.equal(bench.sandbox.counts.tokens, 2);
    bench.sandbox.setFault(() => "unauthorized");
    await assert.rejects(read(), { code: "system-refused-credential", retry: "transient" });
    assert.equal(bench.sandbox.counts.reads, 5);
  });

  it("after a 401 on a write does not write again, but forgets the token so that the next run passes", async () => {
    bench = await openSignedBench();
    await create();
    bench.sandbox.revokeTokens();
    await assert.rejects(create("link-2"), { code: "system-session-ended", retry: "transient" });
    assert.equal(bench.sandbox.counts.writes, 2);
    await create("link-2");
    assert.equal(bench.sandbox.all("Patient").length, 2);
  });

  it("says which error code the token endpoint gave when it refuses the client", async () => {
    bench = await openSignedBench();
    await read();
    bench.sandbox.disableClient("sluice");
    await assert.rejects(read(), (error: SluiceError) => {
      assert.equal(error.code, "system-refused-credential");
      assert.equal(error.detail.vendorCode, "invalid_client");
      return true;
    });
  });

  it("refuses a grant narrower than needed, naming the missing scopes; the full grant passes", async () => {
    bench = await openSignedBench("ES384", ["system/Patient.crus"]);
    await assert.rejects(read(), (error: SluiceError) => {
      assert.equal(error.code, "system-forbidden");
      assert.deepEqual(error.detail.elements, ["system/Appointment.crus", "system/Consent.rs"]);
      return true;
    });
    assert.equal(bench.sandbox.counts.reads, 0);
    bench = await openSignedBench("ES384", scopes);
    await read();
  });

  it("signs in at no other token endpoint than the one bound to the system", async () => {
    bench = await openSignedBench();
    const pair = await keyPair("ES384", "key-1");
    const open = (tokenEndpoint: string) =>
      openConnector({
        connection: bench.connection,
        clock: bench.clock,
        keys: [pair.privateKey],
        identity: { tokenEndpoint },
      });
    const wrong = open("https://login.elsewhere.example/token");
    await assert.rejects(wrong.connector.read("Patient", "nobody", []), { code: "identity-mismatch" });
    assert.equal(bench.sandbox.counts.tokens, 0);
    const right = open(`${bench.sandbox.baseUrl}/token`);
    // The key is not the registered one: the refusal comes from the token endpoint, so the request was made.
    await assert.rejects(right.connector.read("Patient", "nobody", []), { code: "system-refused-credential" });
    assert.equal(bench.sandbox.counts.tokens, 1);
  });

  it("an exchange whose guard refuses the token request does not refuse it for the others", async () => {
    bench = await openSignedBench();
    const refusing: RequestGuard = {
      requestId: "lost",
      check: () => {
        throw new SluiceError("lane-lost", "the lane was lost");
      },
    };
    const lost = withGuard(refusing, read);
    const other = read();
    await assert.rejects(lost, { code: "lane-lost" });
    assert.equal(await other, undefined);
  });

  it("is not possible without the configured key, or with a key of another kind", async () => {
    bench = await openSignedBench();
    const rsa = await keyPair("RS384", "key-1");
    for (const keys of [[], [rsa.privateKey], [{ ...rsa.publicKey, kid: "other" }]]) {
      const open = () => openConnector({ connection: bench.connection, clock: bench.clock, keys });
      assert.throws(open, { code: "key-missing" });
    }
  });
});

describe("fhir-r4 without sign-in", () => {
  const open = (baseUrl: string, environment: "production" | "sandbox") => () =>
    openConnector({ connection: { baseUrl }, clock: standingClock(), environment });

  it("is for sandboxes and this machine only", () => {
    assert.throws(open("https://ehr.example/fhir", "production"), { code: "config-invalid" });
    assert.ok(open("https://ehr.example/fhir", "sandbox")());
    assert.ok(open("http://127.0.0.1:1/fhir", "production")());
  });

  it("takes no plain http address of another machine", () => {
    assert.throws(open("http://ehr.example/fhir", "sandbox"), { code: "config-invalid" });
    assert.ok(open("http://localhost:1/fhir", "sandbox")());
  });
});
