// The sandbox EHR's SMART Backend Services token endpoint, as strict as the specification: RS384 or ES384, known key, exact
// audience, `exp` at most five minutes ahead, each `jti` once; and the check of tokens and their scopes on each request.
import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet } from "jose";
import type { JsonObject } from "../../../src/core/json.ts";
import type { SandboxAnswer, SandboxRequest } from "../../../src/connector/sandbox.ts";

export interface SandboxClient {
  readonly clientId: string;
  /** Public JWKs with `kid`. */
  readonly publicKeys: readonly JsonObject[];
  /** SMART v2 scopes that the client may get; others are left out of the grant. */
  readonly scopes: readonly string[];
}

interface Grant {
  readonly scopes: readonly string[];
  readonly until: number;
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const tokenSeconds = 300;

export class SignIn {
  readonly #clients: ReadonlyMap<string, SandboxClient>;
  readonly #now: () => number;
  readonly #disabled = new Set<string>();
  readonly #used = new Set<string>();
  readonly #grants = new Map<string, Grant>();
  #serial = 0;

  constructor(clients: readonly SandboxClient[], now: () => number) {
    this.#clients = new Map(clients.map((client) => [client.clientId, client]));
    this.#now = now;
  }

  disable(clientId: string): void {
    this.#disabled.add(clientId);
  }

  enable(clientId: string): void {
    this.#disabled.delete(clientId);
  }

  revokeAll(): void {
    this.#grants.clear();
  }

  /** @param endpoint the token endpoint's own address: the only audience accepted. */
  async token(request: SandboxRequest, endpoint: string): Promise<SandboxAnswer> {
    const form = new URLSearchParams(request.body);
    if (request.method !== "POST" || form.get("client_assertion_type") !== assertionType)
      return refusal(400, "invalid_request");
    if (form.get("grant_type") !== "client_credentials") return refusal(400, "unsupported_grant_type");
    const client = await this.#verify(form.get("client_assertion") ?? "", endpoint);
    if (!client) return refusal(401, "invalid_client");
    const wanted = (form.get("scope") ?? "").split(" ");
    const scopes = wanted.filter((scope) => client.scopes.includes(scope));
    if (scopes.length === 0) return refusal(400, "invalid_scope");
    this.#serial += 1;
    const value = `sandbox-token-${this.#serial}`;
    this.#grants.set(value, { scopes, until: this.#now() + tokenSeconds * 1000 });
    return json(200, { access_token: value, token_type: "bearer", expires_in: tokenSeconds, scope: scopes.join(" ") });
  }

  /** `read`, `search`, `create` or `update` of a type: 401 without a live token, 403 without its scope, else undefined. */
  refuse(authorization: string | undefined, type: string, action: "r" | "s" | "c" | "u"): 401 | 403 | undefined {
    const grant = this.#grants.get(/^Bearer (\S+)$/.exec(authorization ?? "")?.[1] ?? "");
    if (!grant || this.#now() >= grant.until) return 401;
    const covers = grant.scopes.some((scope) => {
      const [of, letters = ""] = scope.replace("system/", "").split(".");
      return (of === type || of === "*") && letters.includes(action);
    });
    return covers ? undefined : 403;
  }

  async #verify(assertion: string, endpoint: string): Promise<SandboxClient | undefined> {
    try {
      const client = this.#clients.get(decodeJwt(assertion).iss ?? "");
      if (!client || this.#disabled.has(client.clientId)) return undefined;
      const { payload, protectedHeader } = await jwtVerify(assertion, createLocalJWKSet(keySet(client)), {
        algorithms: ["RS384", "ES384"],
        audience: endpoint,
        issuer: client.clientId,
        subject: client.clientId,
        typ: "JWT",
        requiredClaims: ["exp", "jti"],
        currentDate: new Date(this.#now()),
      });
      const { exp = Infinity, jti = "" } = payload;
      if (protectedHeader.kid === undefined || Array.isArray(payload.aud)) return undefined;
      if (exp * 1000 > this.#now() + 300_000 || this.#used.has(`${client.clientId} ${jti}`)) return undefined;
      this.#used.add(`${client.clientId} ${jti}`);
      return client;
    } catch {
      return undefined;
    }
  }
}

function keySet(client: SandboxClient): JSONWebKeySet {
  return { keys: client.publicKeys } as unknown as JSONWebKeySet;
}

function refusal(status: number, error: string): SandboxAnswer {
  return json(status, { error });
}

function json(status: number, body: JsonObject): SandboxAnswer {
  const headers = { "content-type": "application/json", "cache-control": "no-store", pragma: "no-cache" };
  return { status, headers, body: JSON.stringify(body) };
}
