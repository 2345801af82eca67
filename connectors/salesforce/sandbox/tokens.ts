// The sandbox's login server: OAuth 2.0 JWT bearer, and the access tokens that it has given out.
import { importJWK, jwtVerify, type CryptoKey, type JWK } from "jose";
import type { SandboxAnswer } from "../../../src/connector/sandbox.ts";
import { newId, type Random } from "../../../src/core/ids.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { json } from "./refusal.ts";

export interface TokenOptions {
  readonly clientId: string;
  readonly username: string;
  /** Of the certificate that the External Client App holds. */
  readonly publicKey: JsonObject;
  /** Accepted `aud` values. */
  readonly audiences: readonly string[];
  readonly now: () => number;
  readonly random: Random;
}

const longestSeconds = 180;

export class Tokens {
  readonly #options: TokenOptions;
  readonly #given = new Set<string>();
  organizationId: string;

  constructor(options: TokenOptions, organizationId: string) {
    this.#options = options;
    this.organizationId = organizationId;
  }

  accepts(authorization: string | undefined): boolean {
    return authorization?.startsWith("Bearer ") === true && this.#given.has(authorization.slice("Bearer ".length));
  }

  revokeAll(): void {
    this.#given.clear();
  }

  async answer(body: string, origin: string): Promise<SandboxAnswer> {
    const form = new URLSearchParams(body);
    if (form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer") {
      return refuse("unsupported_grant_type", "grant type not supported");
    }
    const refusal = await this.#check(form.get("assertion") ?? "", origin);
    if (refusal) return refusal;
    const token = `${this.organizationId.slice(0, 15)}!${newId(this.#options.random)}`;
    this.#given.add(token);
    return json(200, {
      access_token: token,
      scope: "api",
      instance_url: origin,
      id: `${origin}/id/${this.organizationId}/0055e0000000001AAA`,
      token_type: "Bearer",
    });
  }

  async #check(assertion: string, origin: string): Promise<SandboxAnswer | undefined> {
    const { clientId, username, now } = this.#options;
    const seconds = now() / 1000;
    try {
      const { payload } = await jwtVerify(assertion, await this.#key(), {
        algorithms: ["RS256"],
        audience: [...this.#options.audiences, origin],
        currentDate: new Date(now()),
        requiredClaims: ["exp", "iss", "sub"],
      });
      if ((payload.exp ?? 0) > seconds + longestSeconds) return refuse("invalid_grant", "invalid assertion");
      if (payload.iss !== clientId) return refuse("invalid_client_id", "client identifier invalid");
      if (payload.sub !== username) return refuse("invalid_grant", "user hasn't approved this consumer");
      return undefined;
    } catch {
      return refuse("invalid_grant", "invalid assertion");
    }
  }

  async #key(): Promise<CryptoKey> {
    const key = await importJWK(this.#options.publicKey as JWK, "RS256");
    if (key instanceof Uint8Array) throw new Error("an RSA public key is wanted");
    return key;
  }
}

function refuse(error: string, description: string): SandboxAnswer {
  return json(400, { error, error_description: description });
}
