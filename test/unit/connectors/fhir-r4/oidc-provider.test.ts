// The client assertion judged by others: oidc-provider as an independent token server, and the limits of SMART that it
// does not check itself (lifetime, single audience), asserted on the assertion as sent.
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeJwt, decodeProtectedHeader } from "jose";
import type { SluiceError } from "../../../../src/core/errors.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { startLoopback } from "../../../../src/connector/sandbox.ts";
import { closeAll, closeLater, keyPair, openConnector, standingClock, start, type KeyPair } from "./bench.ts";

afterEach(closeAll);

const scopes = ["system/Patient.rs", "system/Appointment.rs"];

/** What is used of oidc-provider, which ships no types. */
interface Provider {
  callback(): RequestListener;
}
const packageName = "oidc-provider";

/** Starts the provider with one client that may sign with this key; answers its origin. */
async function startProvider(publicKey: KeyPair["publicKey"], allowed: readonly string[]): Promise<string> {
  const { default: Provider } = (await import(packageName)) as {
    readonly default: new (issuer: string, configuration: object) => Provider;
  };
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closeLater(
    () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  );
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = {
    client_id: "sluice",
    token_endpoint_auth_method: "private_key_jwt",
    token_endpoint_auth_signing_alg: publicKey["alg"],
    jwks: { keys: [publicKey] },
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
    scope: allowed.join(" "),
  };
  const provider = new Provider(issuer, {
    clients: [client],
    scopes: allowed,
    clientAuthMethods: ["private_key_jwt"],
    enabledJWA: { clientAuthSigningAlgValues: ["RS384", "ES384"] },
    ttl: { ClientCredentials: 300 },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: false },
    },
  });
  server.on("request", provider.callback());
  return issuer;
}

/** A FHIR server without patients that names this token endpoint; answers its base and the bearer tokens it saw. */
async function startEhr(tokenEndpoint: string) {
  const tokens: (string | undefined)[] = [];
  const server = await startLoopback((request) => {
    if (request.url.pathname.endsWith("/smart-configuration")) {
      return Promise.resolve({ status: 200, body: JSON.stringify({ token_endpoint: tokenEndpoint }) });
    }
    tokens.push(request.headers.authorization);
    return Promise.resolve({ status: 404 });
  });
  closeLater(() => server.close());
  return { baseUrl: `${server.origin}/fhir`, tokens };
}

describe("fhir-r4 sign-in at oidc-provider", () => {
  const openAt = async (algorithm: "RS384" | "ES384", registered: KeyPair, signing: KeyPair, allowed = scopes) => {
    const issuer = await startProvider(registered.publicKey, allowed);
    const ehr = await startEhr(`${issuer}/token`);
    const connection = {
      ...{ baseUrl: ehr.baseUrl, clientId: "sluice", signingKeyId: "key-1", algorithm, scopes },
      tokenOrigin: issuer,
    };
    const { connector } = openConnector({ connection, clock: systemClock, keys: [signing.privateKey] });
    return { ehr, read: () => connector.read("Patient", "nobody", []) };
  };

  for (const algorithm of ["RS384", "ES384"] as const) {
    it(`is accepted with ${algorithm}`, async () => {
      const pair = await keyPair(algorithm, "key-1");
      const { ehr, read } = await openAt(algorithm, pair, pair);
      assert.equal(await read(), undefined);
      assert.match(ehr.tokens[0] ?? "", /^Bearer \S{20,}$/);
    });
  }

  it("is refused with a key that is not registered", async () => {
    const [registered, other] = [await keyPair("ES384", "key-1"), await keyPair("ES384", "key-1")];
    const { ehr, read } = await openAt("ES384", registered, other);
    await assert.rejects(read(), (error: SluiceError) => {
      assert.equal(error.code, "system-refused-credential");
      assert.equal(error.detail.vendorCode, "invalid_client");
      return true;
    });
    assert.equal(ehr.tokens.length, 0);
  });

  it("is not used when the client may have only some of the scopes", async () => {
    const pair = await keyPair("ES384", "key-1");
    const { ehr, read } = await openAt("ES384", pair, pair, ["system/Patient.rs"]);
    await assert.rejects(read(), { code: "system-forbidden", retry: "permanent" });
    assert.equal(ehr.tokens.length, 0);
  });
});

describe("fhir-r4 client assertion", () => {
  /** The form posted for each of `count` tokens, each token being too short-lived to be kept. */
  async function postedForms(count: number): Promise<{ form: URLSearchParams; endpoint: string }[]> {
    const posted: URLSearchParams[] = [];
    const server = await startLoopback((request) => {
      posted.push(new URLSearchParams(request.body));
      const token = { access_token: "t", token_type: "Bearer", expires_in: 1, scope: scopes.join(" ") };
      return Promise.resolve({ status: 200, body: JSON.stringify(token) });
    });
    closeLater(() => server.close());
    const endpoint = `${server.origin}/login/token`;
    const { baseUrl } = await startEhr(endpoint);
    const clock = standingClock();
    const pair = await keyPair("ES384", "key-1");
    const connection = { baseUrl, clientId: "sluice", signingKeyId: "key-1", scopes, tokenOrigin: server.origin };
    const { connector } = openConnector({ connection, clock, keys: [pair.privateKey] });
    for (let i = 0; i < count; i += 1) {
      await connector.read("Patient", "nobody", []);
      clock.advance(2_000);
    }
    return posted.map((form) => ({ form, endpoint }));
  }

  it("lives at most five minutes, is for the token endpoint alone, and carries a fresh jti each time", async () => {
    const forms = await postedForms(3);
    const ids = forms.map(({ form, endpoint }) => {
      const assertion = form.get("client_assertion") ?? "";
      const { iss, sub, aud, exp = Infinity, iat = 0, jti } = decodeJwt(assertion);
      assert.deepEqual([iss, sub, aud], ["sluice", "sluice", endpoint]);
      assert.ok(exp - iat <= 300 && exp > iat && iat >= Math.floor(start / 1000));
      assert.deepEqual(decodeProtectedHeader(assertion), { alg: "ES384", kid: "key-1", typ: "JWT" });
      return jti;
    });
    assert.equal(new Set(ids).size, 3);
  });

  it("is sent as a form of the client credentials grant", async () => {
    const [posted] = await postedForms(1);
    const form = Object.fromEntries(posted?.form ?? []);
    delete form["client_assertion"];
    assert.deepEqual(form, {
      grant_type: "client_credentials",
      scope: scopes.join(" "),
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    });
  });
});
