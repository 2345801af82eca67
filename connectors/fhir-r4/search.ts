// Reads of single records: by id, by Sluice's link id, by exact demographics. A search answer is never trusted to have
// honoured the search: each hit is compared with what was asked.
import { SluiceError } from "../../src/core/errors.ts";
import { isJsonObject, type JsonObject } from "../../src/core/json.ts";
import { Phi } from "../../src/core/phi.ts";
import type { SourceRecord } from "../../src/core/records.ts";
import type { ConnectorContext, PersonQuery } from "../../src/connector/contract.ts";
import { nextLink, recordsIn } from "./bundle.ts";
import type { FhirAnswer, FhirClient } from "./client.ts";
import type { FhirConnection } from "./connection.ts";
import { malformed } from "./discovery.ts";
import { failureOf } from "./outcome.ts";
import { checkId, checkType, recordOf, refuseSubset } from "./resource.ts";

const noCache = { "cache-control": "no-cache" };
/** Refuses parameters that the server does not know (FHIR R4 3.1.1.3.3); without it some ignore them. */
const strict = { prefer: "handling=strict" };
const mostPages = 10;

export class FhirReader {
  readonly #connection: FhirConnection;
  readonly #context: ConnectorContext;
  readonly #client: FhirClient;

  constructor(connection: FhirConnection, context: ConnectorContext, client: FhirClient) {
    this.#connection = connection;
    this.#context = context;
    this.#client = client;
  }

  async read(type: string, id: string, fresh: boolean): Promise<SourceRecord | undefined> {
    checkType(type);
    checkId(id);
    const answer = await this.#client.read(fresh ? noCache : {}, (client, options) =>
      client.read({ resourceType: type, id, options }),
    );
    if (answer.status === 404 || answer.status === 410) return undefined;
    const record = recordOf(this.#context.system.id, type, this.#body(answer), answer.header("etag"));
    if (record.ref.id !== id) throw malformed("the system answered with another record than the one asked for");
    return refuseSubset(record);
  }

  async findByLink(type: string, linkId: string): Promise<readonly SourceRecord[]> {
    checkType(type);
    const { linkSystem } = this.#connection;
    const token = `${escape(linkSystem)}|${escape(linkId)}`;
    const found = await this.#all(type, { identifier: token, _count: 50 }, mostPages * 50);
    if (!found.every((record) => hasIdentifier(Phi.open(record.body), linkSystem, linkId))) {
      // Taking "none" from such an answer would create the record a second time.
      throw malformed("the system answered a search by identifier with other records");
    }
    return found.map(refuseSubset);
  }

  async findPerson(type: string, query: PersonQuery): Promise<readonly SourceRecord[]> {
    if (type !== "Patient") throw new SluiceError("input-unknown-type", "only Patient records are searched by person");
    const [firstGiven = ""] = query.given.trim().split(/\s+/);
    const parameters = {
      family: escape(query.family),
      given: escape(firstGiven),
      birthdate: query.birthDate,
      _count: 50,
    };
    const found = await this.#all(type, parameters, 5, (record) => isPerson(Phi.open(record.body), query));
    return found.map(refuseSubset);
  }

  /** All pages of a search, at most `most` records that `keep` accepts. */
  async #all(
    type: string,
    searchParams: Record<string, string | number>,
    most: number,
    keep: (record: SourceRecord) => boolean = () => true,
  ): Promise<readonly SourceRecord[]> {
    const headers = { ...noCache, ...strict };
    const kept: SourceRecord[] = [];
    let answer = await this.#client.read(headers, (client, options) =>
      client.resourceSearch({ resourceType: type, searchParams, options }),
    );
    for (let page = 1; ; page += 1) {
      const body = this.#body(answer);
      kept.push(...recordsIn(this.#context.system.id, type, body).filter(keep));
      const next = nextLink(this.#connection, body);
      if (next === undefined || kept.length >= most) return kept.slice(0, most);
      if (page === mostPages) throw new SluiceError("record-ambiguous", "the search finds too many records to compare");
      answer = await this.#client.read(headers, (client, options) => client.request(next, { options }));
    }
  }

  #body(answer: FhirAnswer): unknown {
    if (answer.status < 200 || answer.status > 299) throw failureOf(answer, false, this.#context.clock.now());
    return answer.body;
  }
}

/** FHIR R4 3.1.1.4.14: `,`, `$`, `|` and `\` in a value. */
function escape(value: string): string {
  return value.replaceAll(/[\\,$|]/g, (character) => `\\${character}`);
}

function hasIdentifier(resource: JsonObject, system: string, value: string): boolean {
  return objects(resource["identifier"]).some((one) => one["system"] === system && one["value"] === value);
}

/** Same birth date and one name that is equal, letter case apart; a record replaced by another one does not count. */
function isPerson(resource: JsonObject, query: PersonQuery): boolean {
  if (resource["birthDate"] !== query.birthDate) return false;
  if (objects(resource["link"]).some((link) => link["type"] === "replaced-by")) return false;
  return objects(resource["name"]).some((name) => {
    const given = Array.isArray(name["given"]) ? name["given"].filter((part) => typeof part === "string") : [];
    const spellings = [given.join(" "), given[0]];
    return same(name["family"], query.family) && spellings.some((spelling) => same(spelling, query.given));
  });
}

function same(value: unknown, wanted: string): boolean {
  return typeof value === "string" && fold(value) === fold(wanted);
}

function fold(text: string): string {
  return text.normalize("NFC").trim().replaceAll(/\s+/g, " ").toLowerCase().normalize("NFC");
}

function objects(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? (value as readonly unknown[]).filter(isJsonObject) : [];
}
