// What `connection:` of a Salesforce system holds, and which hosts follow from it.
import { z } from "zod";
import type { JsonObject } from "../../src/core/json.ts";
import { fieldNamePattern } from "./soql.ts";

const origin = z.string().refine(isOrigin, {
  error:
    "an https:// origin without path is wanted, for example https://practice.my.salesforce.com (http:// on loopback only)",
});

/** Strict: unknown keys are refused. */
export const connectionSchema = z.strictObject({
  loginUrl: origin.describe(
    "Where tokens come from: https://login.salesforce.com, https://test.salesforce.com or My Domain",
  ),
  instanceUrl: origin.describe("My Domain address of the org, https://NAME.my.salesforce.com; no other host gets data"),
  apiVersion: z
    .string()
    .regex(/^\d{2,3}\.0$/)
    .default("67.0")
    .describe("REST API version"),
  clientId: z.string().min(1).describe("Consumer key of the External Client App"),
  username: z.string().min(1).describe("User name of the integration user"),
  audience: z
    .string()
    .min(1)
    .optional()
    .describe(
      "`aud` of the assertion: https://login.salesforce.com, https://test.salesforce.com or the site; default loginUrl",
    ),
  signingKeyId: z
    .string()
    .min(1)
    .describe("`kid` of the RS256 key in config/sluice.yaml whose certificate the app holds"),
  linkField: z
    .string()
    .regex(fieldNamePattern)
    .default("Sluice_Link_Id__c")
    .describe("External-id field (text, unique) on each synced object that holds Sluice's link id"),
  overlapSeconds: z
    .number()
    .int()
    .min(1)
    .max(86_400)
    .default(120)
    .describe("Polls read so many seconds again, for transactions that took long; repeats do no harm"),
});

export type SalesforceConnection = z.infer<typeof connectionSchema>;

/** Login and instance origin. */
export function originsOf(connection: JsonObject): readonly string[] {
  const { loginUrl, instanceUrl } = connectionSchema.parse(connection);
  return [...new Set([new URL(loginUrl).origin, new URL(instanceUrl).origin])];
}

function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.pathname !== "/" || url.search || url.hash || url.username || url.password) return false;
  return (
    url.protocol === "https:" || (url.protocol === "http:" && /^(127\.0\.0\.1|localhost|\[::1\])$/.test(url.hostname))
  );
}

/** The link id in a record's external-id field. */
export function linkIdOf(record: JsonObject, connection: JsonObject): string | undefined {
  const value = record[connectionSchema.parse(connection).linkField];
  return typeof value === "string" && value !== "" ? value : undefined;
}
