// Is this person at the destination already? Asked once, before a person is created there. The search itself discloses
// a name and a birth date, so it is on record first. A name and a birth date alone never link two records
// (ARCHITECTURE, Links).
import type { PersonQuery } from "../connector/contract.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { SourceRecord } from "../core/records.ts";
import { newId } from "../core/ids.ts";
import { quarantine } from "./causes.ts";
import { readValues } from "./convert.ts";
import { personQuery } from "./demographics.ts";
import { readSystem } from "./fetch.ts";
import { auditRun } from "./on-record.ts";
import type { Permit } from "./judge.ts";
import type { SyncRun } from "./run.ts";
import { typeAt } from "./run.ts";
import { storeLink } from "./settle.ts";
import { Stop } from "./stop.ts";

/** Links and throws `again` when the person is found; returns when there is none; throws a Stop for a person to decide. */
export async function matchPerson(run: SyncRun, person: string, permit: Permit, resource: JsonObject): Promise<void> {
  const found = await findMatch(run, person, permit, resource);
  if (!found) return;
  await linkPair(run, person, found);
  throw new Stop({ kind: "again" });
}

/** The one record that is certainly this person. Throws a Stop when that cannot be told. */
export async function findMatch(
  run: SyncRun,
  person: string | undefined,
  permit: Permit,
  resource: JsonObject,
): Promise<SourceRecord | undefined> {
  const detail = { channel: run.channel.id };
  const query = personQuery(resource);
  if (!query) throw quarantine("no-demographics", detail);
  const found = await search(run, person, permit, query);
  const [only] = found;
  if (!only) return undefined;
  if (found.length > 1) throw quarantine("several-matches", detail);
  if (await run.gateway.store.links.pairOf(only.ref, run.channel.from)) throw quarantine("already-linked", detail);
  if (!confirms(resource, run.mapping.writeMiddle(withoutReferences(run, only))))
    throw quarantine("weak-match", detail);
  return only;
}

async function search(
  run: SyncRun,
  person: string | undefined,
  permit: Permit,
  query: PersonQuery,
): Promise<readonly SourceRecord[]> {
  const entry = await auditRun(run, "query", {
    person,
    permit,
    interaction: "search",
    released: ["name.family", "name.given", "birthDate"],
    withheld: [],
  });
  await run.gateway.store.audit.append([entry]);
  const type = typeAt(run.active, run.channel.to, run.resource);
  return readSystem(run, run.channel.to, (connector) => connector.findPerson(type, query, run.mapping.crmFields));
}

async function linkPair(run: SyncRun, person: string, found: SourceRecord): Promise<void> {
  const { links } = run.gateway.store;
  const records = [run.row.source, found.ref];
  const claimed = await links.claim(records, person);
  if ("conflict" in claimed || claimed.person !== person)
    throw quarantine("identity-conflict", { channel: run.channel.id });
  const link = { id: newId(run.gateway.random), person, kind: "person", records, base: {}, versions: {} } as const;
  await storeLink(run, link, true);
}

function withoutReferences(run: SyncRun, record: SourceRecord): ReadonlyMap<string, Json> {
  const references = new Set(run.mapping.fields.filter((field) => field.isReference).map((field) => field.name));
  return new Map([...readValues(run, record, "destination")].filter(([name]) => !references.has(name)));
}

/** One identifier, phone number or e-mail address in common, or the same street and postal code. */
function confirms(one: JsonObject, other: JsonObject): boolean {
  const marks = marksOf(one);
  return [...marksOf(other)].some((mark) => marks.has(mark));
}

function marksOf(resource: JsonObject): ReadonlySet<string> {
  const marks = new Set<string>();
  for (const [element, keys] of [
    ["identifier", ["system", "value"]],
    ["telecom", ["value"]],
    ["address", ["line", "postalCode"]],
  ] as const) {
    const items = resource[element];
    if (!Array.isArray(items)) continue;
    for (const item of items as readonly Json[]) {
      if (!isJsonObject(item)) continue;
      const parts = keys.map((key) => item[key]);
      if (parts.every((part) => part !== undefined && part !== null)) marks.add(`${element}:${normalised(parts)}`);
    }
  }
  return marks;
}

function normalised(parts: readonly (Json | undefined)[]): string {
  return JSON.stringify(parts)
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[\s()\-.]/g, "");
}
