// OAuth 2.0 JWT bearer flow (RFC 7523; Salesforce Help, "OAuth 2.0 JWT Bearer Flow"): one signed assertion for one access
// token. The answer has neither refresh token nor expiry: a token is used until the org refuses it.
import { importJWK, SignJWT, type JWK } from "jose";
import { z } from "zod";
import type { ConnectorContext } from "../../src/connector/contract.ts";
import { httpFailure, networkFailure } from "../../src/connector/failures.ts";
import { asTokenRequest } from "../../src/connector/guard.ts";
import { SluiceError } from "../../src/core/errors.ts";
import { isJsonObject, parseJson } from "../../src/core/json.ts";
import type { SalesforceConnection } from "./connection.ts";
import { longId } from "./record-id.ts";

export interface Grant {
  readonly accessToken: string;
  /** 18 characters. */
  readonly organizationId: string;
}

/** Salesforce accepts at most 3 minutes. */
const assertionSeconds = 120;

const tokenAnswer = z.object({ access_token: z.string().min(1), instance_url: z.string(), id: z.string() });

/**
 * Asks the login server for a new token. Throws `system-refused-credential` with the OAuth error as `vendorCode` when it
 * refuses, `key-missing` when the key is not there, `identity-mismatch` when the org lives at another address.
 */
export async function mint(connection: SalesforceConnection, context: ConnectorContext): Promise<Grant> {
  const assertion = await signAssertion(connection, context);
  const form = new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion });
  const { status, text, retryAfter } = await postForm(connection, context, form);
  if (status === 200) return readGrant(text, connection);
  const vendorCode = oauthError(text);
  if (status === 400 || status === 401 || status === 403) throw refused(status, vendorCode);
  throw httpFailure({ status, unsafe: false, retryAfter, vendorCode, now: context.clock.now() });
}

async function signAssertion(connection: SalesforceConnection, context: ConnectorContext): Promise<string> {
  const jwk = context.keys.signing.find((key) => key["kid"] === connection.signingKeyId);
  if (jwk?.["kty"] !== "RSA") {
    throw new SluiceError("key-missing", `there is no RSA signing key "${connection.signingKeyId}"`, {
      hint: "add the key to config/sluice.yaml and its certificate to the External Client App",
    });
  }
  const key = await importJWK(jwk as JWK, "RS256");
  return new SignJWT({})
    .setProtectedHeader({ alg: "RS256", kid: connection.signingKeyId })
    .setIssuer(connection.clientId)
    .setSubject(connection.username)
    .setAudience(connection.audience ?? connection.loginUrl.replace(/\/$/, ""))
    .setExpirationTime(Math.floor(context.clock.now() / 1000) + assertionSeconds)
    .sign(key);
}

async function postForm(connection: SalesforceConnection, context: ConnectorContext, form: URLSearchParams) {
  const url = new URL("/services/oauth2/token", connection.loginUrl);
  try {
    return await asTokenRequest(async () => {
      const response = await context.http.fetch(url, {
        method: "POST",
        body: form,
        headers: { accept: "application/json" },
      });
      const text = await response.text();
      return { status: response.status, text, retryAfter: response.headers.get("retry-after") };
    });
  } catch (error) {
    throw networkFailure(error, { unsafe: false });
  }
}

function readGrant(text: string, connection: SalesforceConnection): Grant {
  const answer = tokenAnswer.safeParse(tryJson(text));
  const organizationId = answer.success ? organizationOf(answer.data.id) : undefined;
  if (!answer.success || organizationId === undefined) {
    throw new SluiceError("system-answer-malformed", "the login server's answer holds no token or no organization");
  }
  if (URL.parse(answer.data.instance_url)?.origin !== new URL(connection.instanceUrl).origin) {
    throw new SluiceError("identity-mismatch", "the login server names another instance than the configuration", {
      hint: "set instanceUrl to the org's My Domain address",
    });
  }
  return { accessToken: answer.data.access_token, organizationId };
}

/** From the identity URL `https://login.salesforce.com/id/ORGANIZATION/USER`. */
function organizationOf(identityUrl: string): string | undefined {
  const match = /^\/id\/(00D[a-zA-Z0-9]{12}(?:[a-zA-Z0-9]{3})?)\/[a-zA-Z0-9]+$/.exec(
    URL.parse(identityUrl)?.pathname ?? "",
  );
  return match?.[1] === undefined ? undefined : longId(match[1]);
}

function refused(status: number, vendorCode: string | undefined): SluiceError {
  return new SluiceError(
    "system-refused-credential",
    `the login server refuses us (${vendorCode ?? `HTTP ${status}`})`,
    {
      status,
      hint: "check the External Client App: approved for the integration user, certificate, clientId, username, audience",
      ...(vendorCode === undefined ? {} : { vendorCode }),
    },
  );
}

function oauthError(text: string): string | undefined {
  const answer = tryJson(text);
  const code = isJsonObject(answer) ? answer["error"] : undefined;
  return typeof code === "string" && /^[a-z_]{1,60}$/.test(code) ? code : undefined;
}

function tryJson(text: string): unknown {
  try {
    return parseJson(text, 1024 * 1024);
  } catch {
    return undefined;
  }
}
