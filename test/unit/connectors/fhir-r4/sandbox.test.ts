// The sandbox EHR itself: what it refuses, so that a connector that passes against it has been checked strictly.
import assert from "node:assert/strict";
import { importJWK, SignJWT, type CryptoKey, type JWK } from "jose";
import {
  startFhirSandbox,
  type FhirSandbox,
  type FhirSandboxOptions,
} from "../../../../connectors/fhir-r4/sandbox/index.ts";
import type { SandboxWrite } from "../../../../src/connector/sandbox.ts";
import { parseJson, type JsonObject } from "../../../../src/core/json.ts";
import { closeAll, closeLater, keyPair, patient, standingClock, start, type KeyPair } from "./bench.ts";

afterEach(closeAll);

async function startSandbox(options: FhirSandboxOptions = {}): Promise<FhirSandbox> {
  const sandbox = await startFhirSandbox({ now: standingClock().now, ...options });
  closeLater(() => sandbox.close());
  return sandbox;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: JsonObject;
}

async function send(
  url: string,
  method = "GET",
  body?: object | string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const text = typeof body === "object" ? JSON.stringify(body) : body;
  const response = await fetch(url, { method, headers, ...(text === undefined ? {} : { body: text }) });
  return { status: response.status, headers: response.headers, body: parseJson(await response.text()) as JsonObject };
}

describe("sandbox EHR token endpoint", () => {
  let pair: KeyPair;
  before(async () => {
    pair = await keyPair("ES384", "key-1");
  });

  interface Claims {
    readonly header?: object;
    readonly claims?: object;
    readonly scope?: string;
  }

  const seconds = Math.floor(start / 1000);
  let serial = 0;

  async function ask(
    sandbox: FhirSandbox,
    change: Claims = {},
    repeat?: string,
  ): Promise<Answer & { assertion: string }> {
    const endpoint = `${sandbox.baseUrl}/token`;
    serial += 1;
    const plain = { iss: "sluice", sub: "sluice", aud: endpoint, exp: seconds + 300, jti: `j${serial}` };
    const key = (await importJWK(pair.privateKey as unknown as JWK, "ES384")) as CryptoKey;
    const assertion =
      repeat ??
      (await new SignJWT({ ...plain, ...change.claims })
        .setProtectedHeader({ alg: "ES384", kid: "key-1", typ: "JWT", ...change.header })
        .sign(key));
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      scope: change.scope ?? "system/Patient.rs",
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: assertion,
    });
    const type = { "content-type": "application/x-www-form-urlencoded" };
    return { ...(await send(endpoint, "POST", form.toString(), type)), assertion };
  }

  const registered = () =>
    startSandbox({ clients: [{ clientId: "sluice", publicKeys: [pair.publicKey], scopes: ["system/Patient.rs"] }] });

  it("gives a token for a proper assertion, once", async () => {
    const sandbox = await registered();
    const first = await ask(sandbox);
    assert.equal(first.status, 200);
    const replayed = await ask(sandbox, {}, first.assertion);
    assert.deepEqual([replayed.status, replayed.body], [401, { error: "invalid_client" }]);
  });

  const wrong: Readonly<Record<string, Claims>> = {
    "lives longer than five minutes": { claims: { exp: seconds + 301 } },
    "has expired": { claims: { exp: seconds - 1 } },
    "has no exp": { claims: { exp: undefined } },
    "has no jti": { claims: { jti: undefined } },
    "is for another audience": { claims: { aud: "http://127.0.0.1/token" } },
    "has another subject": { claims: { sub: "other" } },
    "comes from an unknown client": { claims: { iss: "other", sub: "other" } },
    "names an unknown key": { header: { kid: "key-2" } },
    "names no key": { header: { kid: undefined } },
    "is not typed as JWT": { header: { typ: "other" } },
  };
  for (const [what, change] of Object.entries(wrong)) {
    it(`refuses an assertion that ${what}`, async () => {
      assert.deepEqual((await ask(await registered(), change)).body, { error: "invalid_client" });
    });
  }

  it("refuses an assertion that is for several audiences", async () => {
    const sandbox = await registered();
    const aud = `${sandbox.baseUrl}/token`;
    assert.equal((await ask(sandbox, { claims: { aud: [aud, "https://elsewhere.example"] } })).status, 401);
    assert.equal((await ask(sandbox, { claims: { aud } })).status, 200);
  });

  it("grants only registered scopes, and none if none is", async () => {
    const sandbox = await registered();
    const narrower = await ask(sandbox, { scope: "system/Patient.rs system/Consent.rs" });
    assert.equal(narrower.body["scope"], "system/Patient.rs");
    assert.deepEqual((await ask(sandbox, { scope: "system/Consent.rs" })).body, { error: "invalid_scope" });
  });

  it("lets a token read what its scopes say and nothing else", async () => {
    const sandbox = await registered();
    const token = { authorization: `Bearer ${(await ask(sandbox)).body["access_token"] as string}` };
    assert.equal((await send(`${sandbox.baseUrl}/Patient`, "GET", undefined, token)).status, 200);
    assert.equal((await send(`${sandbox.baseUrl}/Patient`, "POST", patient("X"), token)).status, 403);
    assert.equal((await send(`${sandbox.baseUrl}/Consent`, "GET", undefined, token)).status, 403);
    assert.equal((await send(`${sandbox.baseUrl}/Patient`)).status, 401);
  });
});

describe("sandbox EHR", () => {
  it("refuses search parameters and values that it does not know", async () => {
    const { baseUrl } = await startSandbox();
    for (const query of ["phone=1", "_lastUpdated=yesterday", "_sort=name", "_count=0", "family="]) {
      assert.equal((await send(`${baseUrl}/Patient?${query}`)).status, 400, query);
    }
    assert.equal((await send(`${baseUrl}/Patient?family=x&_count=1&_sort=-_lastUpdated`)).status, 200);
  });

  it("finds by change time at the precision asked, by patient and by status", async () => {
    const sandbox = await startSandbox();
    const actor = { reference: "Patient/p1" };
    const visit = { resourceType: "Appointment", participant: [{ actor, status: "accepted" }] };
    sandbox.put({ ...visit, status: "booked" });
    const total = async (query: string) => (await send(`${sandbox.baseUrl}/Appointment?${query}`)).body["total"];
    assert.equal(await total("_lastUpdated=ge2026-03-02T10:00:00Z"), 1);
    assert.equal(await total("_lastUpdated=gt2026-03-02T10:00:00Z"), 0);
    assert.equal(await total("_lastUpdated=gt2026-03-02T10:00:00.249Z"), 1);
    assert.equal(await total("_lastUpdated=2026-03-02"), 1);
    assert.equal(await total("patient=p1&status=booked,pending"), 1);
    assert.equal(await total("patient=Patient/p2"), 0);
  });

  it("refuses what is not a valid resource, and stores nothing of it", async () => {
    const sandbox = await startSandbox();
    const url = `${sandbox.baseUrl}/Patient`;
    const cases: readonly (readonly [object | string, number])[] = [
      ["no json", 400],
      [{ resourceType: "Appointment" }, 400],
      [{ ...patient("X"), birthDate: "29.02.1980" }, 422],
      [{ ...patient("X"), gender: "f" }, 422],
      [{ ...patient("X"), name: { family: "X" } }, 422],
      [{ ...patient("X"), active: "true" }, 422],
      [{ ...patient("X"), nickname: "x" }, 422],
      [{ ...patient("X"), telecom: [] }, 422],
    ];
    for (const [body, status] of cases)
      assert.equal((await send(url, "POST", body)).status, status, JSON.stringify(body));
    assert.equal(sandbox.all("Patient").length, 0);
    assert.equal((await send(url, "POST", patient("X"))).status, 201);
    assert.equal((await send(`${sandbox.baseUrl}/Starship`, "POST", { resourceType: "Starship" })).status, 404);
  });

  it("updates only under the current version and the body's own id", async () => {
    const sandbox = await startSandbox();
    const id = sandbox.put(patient("One")).id;
    const url = `${sandbox.baseUrl}/Patient/${id}`;
    const put = (version: string | undefined, body: object = { ...patient("Two"), id }) =>
      send(url, "PUT", body, version === undefined ? {} : { "if-match": `W/"${version}"` });
    assert.equal((await put(undefined)).status, 412);
    assert.equal((await put("2")).status, 412);
    assert.equal((await put("1", { ...patient("Two"), id: "other" })).status, 400);
    const updated = await put("1");
    assert.equal(updated.status, 200);
    assert.equal(updated.headers.get("etag"), 'W/"2"');
    assert.deepEqual(sandbox.history("Patient", id).length, 2);
  });

  it("lets a test look at a write before it is applied, and applies nothing when that fails", async () => {
    const seen: SandboxWrite[] = [];
    let fail = true;
    const beforeWrite = (write: SandboxWrite): Promise<void> => {
      seen.push(write);
      return fail ? Promise.reject(new Error("not yet")) : Promise.resolve();
    };
    const sandbox = await startSandbox({ beforeWrite });
    const post = () =>
      fetch(`${sandbox.baseUrl}/Patient`, {
        method: "POST",
        headers: { "x-request-id": "r1" },
        body: JSON.stringify(patient("X")),
      });
    assert.equal((await post()).status, 500);
    assert.equal(sandbox.all("Patient").length, 0);
    fail = false;
    assert.equal((await post()).status, 201);
    assert.deepEqual([seen[1]?.requestId, seen[1]?.type, seen[1]?.id], ["r1", "Patient", undefined]);
  });

  it("makes one record of concurrent conditional creates, also when the hook takes its time", async () => {
    const sandbox = await startSandbox({ beforeWrite: () => new Promise((resolve) => setTimeout(resolve, 5)) });
    const identifier = [{ system: "urn:sluice:link", value: "l1" }];
    const condition = { "if-none-exist": "identifier=urn:sluice:link|l1" };
    const body = { ...patient("Once"), identifier };
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => send(`${sandbox.baseUrl}/Patient`, "POST", body, condition)),
    );
    assert.equal(sandbox.all("Patient").length, 1);
    assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 200, 200, 200, 200, 201]);
  });

  it("applies a write whose answer is lost, and none that times out", async () => {
    const sandbox = await startSandbox({ fault: () => "lost-answer" });
    const signal = AbortSignal.timeout(100);
    const post = () =>
      fetch(`${sandbox.baseUrl}/Patient`, { method: "POST", body: JSON.stringify(patient("X")), signal });
    await assert.rejects(post());
    assert.equal(sandbox.all("Patient").length, 1);
    sandbox.setFault(() => "timeout");
    await assert.rejects(post());
    assert.equal(sandbox.all("Patient").length, 1);
  });
});
