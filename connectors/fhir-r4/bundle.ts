// Reads a searchset Bundle: the matches, the next page's link, and the server's time of the search.
import { SluiceError } from "../../src/core/errors.ts";
import { isJsonObject, type JsonObject } from "../../src/core/json.ts";
import type { SourceRecord } from "../../src/core/records.ts";
import { baseOf, isBelowBase, type FhirConnection } from "./connection.ts";
import type { FhirAnswer } from "./client.ts";
import { malformed } from "./discovery.ts";
import { metaText, recordOf } from "./resource.ts";

/** The matches in their order; outcomes and included resources are skipped. Throws `system-answer-malformed`. */
export function recordsIn(system: string, type: string, body: unknown): readonly SourceRecord[] {
  const entries = bundle(body)["entry"] ?? [];
  if (!Array.isArray(entries)) throw malformed("the search answer's entries are not a list");
  return (entries as readonly unknown[]).filter(isMatch).map((entry) => recordOf(system, type, entry["resource"]));
}

function isMatch(entry: unknown): entry is JsonObject {
  if (!isJsonObject(entry)) throw malformed("the search answer holds an entry that is no object");
  const { search, resource } = entry;
  const mode = isJsonObject(search) ? search["mode"] : undefined;
  if (mode === "outcome" || mode === "include") return false;
  return !isJsonObject(resource) || resource["resourceType"] !== "OperationOutcome";
}

/**
 * Address of the next page, verbatim where absolute. Throws `host-not-allowed` when it leaves the server's origin or base
 * path: the bearer token goes nowhere else.
 */
export function nextLink(connection: FhirConnection, body: unknown): string | undefined {
  const links = bundle(body)["link"];
  const next = Array.isArray(links) ? (links as readonly unknown[]).find(isNext) : undefined;
  if (next === undefined) return undefined;
  const text = next["url"];
  if (typeof text !== "string" || text === "" || text.length > 2000)
    throw malformed("the next page's link is not usable");
  const url = URL.parse(text, `${baseOf(connection)}/`);
  if (!url) throw malformed("the next page's link is not usable");
  if (isBelowBase(connection, url)) return URL.canParse(text) ? text : url.href;
  throw new SluiceError("host-not-allowed", "the next page's link leads away from the system's base address", {
    hint: "set baseUrl to the address that the server itself uses in its links",
  });
}

function isNext(link: unknown): link is JsonObject {
  return isJsonObject(link) && link["relation"] === "next";
}

/** The server's time when it searched, milliseconds: the earlier of Bundle.meta.lastUpdated and `Date`. */
export function searchTime(answer: FhirAnswer): number | undefined {
  const texts = [isJsonObject(answer.body) ? metaText(answer.body, "lastUpdated") : undefined, answer.header("date")];
  const times = texts.map((text) => Date.parse(text ?? "")).filter((time) => !Number.isNaN(time));
  return times.length === 0 ? undefined : Math.min(...times);
}

function bundle(body: unknown): JsonObject {
  if (isJsonObject(body) && body["resourceType"] === "Bundle" && body["type"] === "searchset") return body;
  throw malformed("the answer is not a searchset Bundle");
}
