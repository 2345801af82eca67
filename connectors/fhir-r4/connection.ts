// The `connection:` of a FHIR R4 system: where it is and how Sluice signs in there (SMART Backend Services).
import { z } from "zod";
import { SluiceError } from "../../src/core/errors.ts";
import type { Environment } from "../../src/core/configuration.ts";

const loopback: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** An `https:` address without user, query or fragment; plain `http:` only on loopback. */
function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username || url.password || url.search || url.hash) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && loopback.has(url.hostname));
}

const address = z.string().refine(isSafeUrl, "an https address is wanted (plain http only on loopback)");

export const connectionSchema = z
  .strictObject({
    baseUrl: address.describe("Base address of the FHIR R4 API, for example https://ehr.example.org/fhir"),
    clientId: z
      .string()
      .min(1)
      .optional()
      .describe("Client id registered at the EHR; absent = no sign-in (sandbox or loopback only)"),
    signingKeyId: z.string().min(1).optional().describe("`kid` of the signing key used for the client assertion"),
    algorithm: z.enum(["ES384", "RS384"]).default("ES384").describe("Signature algorithm of the client assertion"),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5B\x5D-\x7E]+$/))
      .default([])
      .describe("SMART scopes needed, for example system/Patient.rs; fewer granted = refused"),
    tokenOrigin: address.optional().describe("Origin of the token endpoint when it is not that of baseUrl"),
    linkSystem: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/-]+$/)
      .default("urn:sluice:link")
      .describe("Identifier system under which Sluice's link id is written into created resources"),
    overlapSeconds: z
      .int()
      .min(1)
      .max(3600)
      .default(60)
      .describe("How far each poll looks back: the EHR's longest transaction plus its clocks' skew, seconds"),
  })
  .refine((value) => value.clientId === undefined || (value.signingKeyId !== undefined && value.scopes.length > 0), {
    message: "clientId needs signingKeyId and scopes",
  });

export type FhirConnection = z.infer<typeof connectionSchema>;

/** Throws `config-invalid`, naming the fields and no values. */
export function parseConnection(connection: unknown): FhirConnection {
  const parsed = connectionSchema.safeParse(connection);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => issue.path.join(".") || "connection");
  throw new SluiceError("config-invalid", `the FHIR connection is not valid: ${fields.join(", ")}`, {
    hint: parsed.error.issues[0]?.message ?? "see the schema of connectors/fhir-r4",
    elements: fields,
  });
}

/** A system without sign-in may only be a sandbox or on this machine. Throws `config-invalid`. */
export function checkSignIn(connection: FhirConnection, environment: Environment): void {
  if (connection.clientId !== undefined || environment === "sandbox") return;
  if (loopback.has(new URL(connection.baseUrl).hostname)) return;
  throw new SluiceError("config-invalid", "a production FHIR system needs a clientId", {
    hint: "register Sluice at the EHR (SMART Backend Services) and set clientId, signingKeyId and scopes",
  });
}

/** The base without a trailing slash. */
export function baseOf(connection: FhirConnection): string {
  return connection.baseUrl.replace(/\/+$/, "");
}

export function originsOf(connection: FhirConnection): readonly string[] {
  const origins = [connection.baseUrl, ...(connection.tokenOrigin === undefined ? [] : [connection.tokenOrigin])];
  return [...new Set(origins.map((url) => new URL(url).origin))];
}

/** Whether a link that the server sent stays on the server's origin and below the base path. */
export function isBelowBase(connection: FhirConnection, link: URL): boolean {
  const base = new URL(baseOf(connection));
  const path = base.pathname.replace(/\/+$/, "");
  return (
    link.origin === base.origin &&
    link.username === "" &&
    link.password === "" &&
    (link.pathname === path || link.pathname.startsWith(`${path}/`))
  );
}
