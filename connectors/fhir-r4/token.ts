// SMART Backend Services (SMART App Launch 2.2, "Backend Services"): signs the client assertion, fetches the access token
// and keeps it until shortly before it expires; one token request in flight at a time.
import { importJWK, SignJWT, type JWK } from "jose";
import { SluiceError } from "../../src/core/errors.ts";
import { newId } from "../../src/core/ids.ts";
import type { JsonObject } from "../../src/core/json.ts";
import type { ConnectorContext } from "../../src/connector/contract.ts";
import { httpFailure, networkFailure } from "../../src/connector/failures.ts";
import { asTokenRequest } from "../../src/connector/guard.ts";
import type { FhirConnection } from "./connection.ts";
import { discoverSmart, jsonObject, malformed } from "./discovery.ts";
import { missingScopes } from "./scopes.ts";

/** The specification allows 5 minutes; one of them is left for clocks that differ. */
const assertionSeconds = 240;
const longestCacheSeconds = 3600;

interface Token {
  readonly value: string;
  /** Wall time after which it is not used any more. */
  readonly until: number;
}

export class TokenSource {
  readonly #connection: FhirConnection;
  readonly #context: ConnectorContext;
  readonly #key: JWK;
  #token: Token | undefined;
  #flight: Promise<Token> | undefined;

  /** Throws `key-missing` when the configured signing key is not there or does not fit the algorithm. */
  constructor(connection: FhirConnection, context: ConnectorContext) {
    this.#connection = connection;
    this.#context = context;
    this.#key = signingKey(connection, context);
  }

  /** A token with all scopes that the connection needs. */
  async get(signal: AbortSignal): Promise<string> {
    for (;;) {
      if (this.#token && this.#context.clock.now() < this.#token.until) return this.#token.value;
      const other = this.#flight;
      if (!other) return (await this.#start(signal)).value;
      // Another exchange's token request may be refused for that exchange's own reasons: then ask for one ourselves.
      await other.catch((error: unknown) => {
        if (!isOthersRefusal(error)) throw error;
      });
    }
  }

  /** Forgets this token, unless a newer one has come meanwhile. */
  drop(value: string): void {
    if (this.#token?.value === value) this.#token = undefined;
  }

  #start(signal: AbortSignal): Promise<Token> {
    this.#token = undefined;
    const flight = this.#mint(signal).then((token) => (this.#token = token));
    this.#flight = flight;
    return flight.finally(() => {
      this.#flight = undefined;
    });
  }

  async #mint(signal: AbortSignal): Promise<Token> {
    const { clock, system } = this.#context;
    const smart = await discoverSmart(this.#connection, this.#context, signal);
    if (!smart) {
      throw new SluiceError("config-invalid", "the system publishes no SMART configuration to sign in with", {
        hint: "check baseUrl; a server without sign-in takes no clientId",
      });
    }
    const bound = system.identity["tokenEndpoint"];
    if (bound !== undefined && bound !== smart.tokenEndpoint) {
      throw new SluiceError("identity-mismatch", "the system names another token endpoint than the one bound to it");
    }
    const asked = clock.now();
    const answer = await this.#post(smart.tokenEndpoint, await this.#assertion(smart.tokenEndpoint), signal);
    return tokenOf(answer, this.#connection.scopes, asked);
  }

  async #assertion(audience: string): Promise<string> {
    const { algorithm, clientId = "", signingKeyId = "" } = this.#connection;
    const issued = Math.floor(this.#context.clock.now() / 1000);
    return new SignJWT({})
      .setProtectedHeader({ alg: algorithm, kid: signingKeyId, typ: "JWT" })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(audience)
      .setIssuedAt(issued)
      .setExpirationTime(issued + assertionSeconds)
      .setJti(newId(this.#context.random))
      .sign(await importJWK(this.#key, algorithm));
  }

  async #post(endpoint: string, assertion: string, signal: AbortSignal): Promise<JsonObject> {
    const body = new URLSearchParams({
      grant_type: "client_credentials",
      scope: this.#connection.scopes.join(" "),
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: assertion,
    }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" };
    try {
      return await asTokenRequest(async () => {
        const response = await this.#context.http.fetch(endpoint, { method: "POST", headers, body, signal });
        const text = await response.text();
        if (response.ok) return jsonObject(text);
        throw this.#refusal(response.status, text, response.headers.get("retry-after"));
      });
    } catch (error) {
      throw networkFailure(error, { unsafe: false });
    }
  }

  /** RFC 6749 section 5.2: the error code, never its description. */
  #refusal(status: number, text: string, retryAfter: string | null): SluiceError {
    if (status !== 400 && status !== 401) {
      return httpFailure({ status, unsafe: false, retryAfter, now: this.#context.clock.now() });
    }
    const code = oauthError(text);
    return new SluiceError("system-refused-credential", `the token endpoint refused us (${code ?? `HTTP ${status}`})`, {
      status,
      ...(code === undefined ? {} : { vendorCode: code }),
      hint: "compare client id, key id, public key and scopes with the registration at the EHR",
    });
  }
}

function oauthError(text: string): string | undefined {
  try {
    const code = jsonObject(text)["error"];
    return typeof code === "string" && /^[a-z_]{1,40}$/.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

function tokenOf(answer: JsonObject, needed: readonly string[], asked: number): Token {
  const { access_token: value, token_type: kind, expires_in: seconds, scope } = answer;
  if (typeof value !== "string" || !/^[\x21-\x7E]+$/.test(value))
    throw malformed("the token endpoint sent no usable token");
  if (typeof kind !== "string" || kind.toLowerCase() !== "bearer") throw malformed("the token is not a bearer token");
  if (typeof seconds !== "number" || !(seconds > 0))
    throw malformed("the token endpoint does not say how long the token lives");
  // A missing scope means that none was granted: never taken for "as requested".
  const missing = missingScopes(needed, typeof scope === "string" ? scope.split(" ") : []);
  if (missing.length > 0) {
    throw new SluiceError("system-forbidden", `the system did not grant the scopes ${missing.join(", ")}`, {
      vendorCode: "insufficient_scope",
      elements: missing,
      hint: "have these scopes granted to Sluice's registration at the EHR",
    });
  }
  const life = Math.min(seconds, longestCacheSeconds);
  const early = Math.min(30, life / 5);
  return { value, until: asked + (life - early) * 1000 };
}

function signingKey(connection: FhirConnection, context: ConnectorContext): JWK {
  const key = context.keys.signing.find((candidate) => candidate["kid"] === connection.signingKeyId);
  const fits =
    connection.algorithm === "RS384" ? key?.["kty"] === "RSA" : key?.["kty"] === "EC" && key["crv"] === "P-384";
  if (key && fits && typeof key["d"] === "string") return key;
  throw new SluiceError("key-missing", `there is no ${connection.algorithm} signing key with the configured key id`, {
    hint: "RS384 wants an RSA key, ES384 an EC key on P-384; signingKeyId must be its kid",
  });
}

function isOthersRefusal(error: unknown): boolean {
  return error instanceof SluiceError && (error.code === "not-sent" || error.code === "lane-lost");
}
