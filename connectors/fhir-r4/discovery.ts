// What a FHIR server says about itself without sign-in: its SMART configuration and, where it has none, its
// CapabilityStatement. From these come the system's identity and the token endpoint.
import { SluiceError } from "../../src/core/errors.ts";
import { isJsonObject, parseJson, type JsonObject } from "../../src/core/json.ts";
import type { ConnectorContext } from "../../src/connector/contract.ts";
import { httpFailure, networkFailure } from "../../src/connector/failures.ts";
import { baseOf, type FhirConnection } from "./connection.ts";

export interface SmartConfiguration {
  /** `issuer`; the base address where the server states none (it is required only with OpenID Connect). */
  readonly issuer: string;
  readonly tokenEndpoint: string;
}

/** The server's SMART configuration; undefined only when the server says 404 or 410, every other failure throws. */
export async function discoverSmart(
  connection: FhirConnection,
  context: ConnectorContext,
  signal?: AbortSignal,
): Promise<SmartConfiguration | undefined> {
  const document = await getJson(
    `${baseOf(connection)}/.well-known/smart-configuration`,
    "application/json",
    context,
    signal,
  );
  if (!document) return undefined;
  const endpoint = document["token_endpoint"];
  if (typeof endpoint !== "string") throw malformed("the SMART configuration names no token_endpoint");
  checkEndpoint(connection, endpoint);
  checkMethods(connection, document);
  const issuer = document["issuer"];
  return { issuer: typeof issuer === "string" ? issuer : baseOf(connection), tokenEndpoint: endpoint };
}

/** Identity without SMART: `CapabilityStatement.implementation`, required of a server instance (constraint cpb-15). */
export async function discoverImplementation(connection: FhirConnection, context: ConnectorContext): Promise<string> {
  const statement = await getJson(`${baseOf(connection)}/metadata`, "application/fhir+json", context);
  const implementation = statement?.["implementation"];
  const parts = isJsonObject(implementation) ? [implementation["url"], implementation["description"]] : [];
  const name = parts.filter((part) => typeof part === "string").join(" ");
  if (name === "") throw malformed("the CapabilityStatement does not say which implementation this is");
  return name;
}

/** The token endpoint gets our signed assertion: it must be on the server's own origin or on the configured one. */
function checkEndpoint(connection: FhirConnection, endpoint: string): void {
  const origin = URL.parse(endpoint)?.origin;
  const allowed = new URL(connection.tokenOrigin ?? connection.baseUrl).origin;
  if (origin === allowed || origin === new URL(connection.baseUrl).origin) return;
  throw new SluiceError("host-not-allowed", "the SMART configuration names a token endpoint on another host", {
    hint: "if the EHR's vendor confirms that host, set tokenOrigin in this system's connection",
  });
}

function checkMethods(connection: FhirConnection, document: JsonObject): void {
  const methods = document["token_endpoint_auth_methods_supported"];
  const algorithms = document["token_endpoint_auth_signing_alg_values_supported"];
  if (Array.isArray(methods) && !methods.includes("private_key_jwt")) {
    throw new SluiceError("config-invalid", "the system does not support SMART Backend Services (private_key_jwt)");
  }
  if (Array.isArray(algorithms) && !algorithms.includes(connection.algorithm)) {
    throw new SluiceError("config-invalid", `the system does not accept ${connection.algorithm} signatures`, {
      hint: "set algorithm to ES384 or RS384, whichever the system names",
    });
  }
}

async function getJson(
  url: string,
  accept: string,
  context: ConnectorContext,
  signal?: AbortSignal,
): Promise<JsonObject | undefined> {
  try {
    const response = await context.http.fetch(url, { headers: { accept }, ...(signal ? { signal } : {}) });
    const text = await response.text();
    if (response.status === 404 || response.status === 410) return undefined;
    const retryAfter = response.headers.get("retry-after");
    if (!response.ok)
      throw httpFailure({ status: response.status, unsafe: false, retryAfter, now: context.clock.now() });
    return jsonObject(text);
  } catch (error) {
    throw networkFailure(error, { unsafe: false });
  }
}

/** Text as a JSON object. Throws `system-answer-malformed`. */
export function jsonObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    throw malformed("the system's answer is not JSON");
  }
  if (!isJsonObject(value)) throw malformed("the system's answer is not a JSON object");
  return value;
}

export function malformed(message: string): SluiceError {
  return new SluiceError("system-answer-malformed", message, { hint: "show this to whoever runs that FHIR server" });
}
