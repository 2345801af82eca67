// The Salesforce connector: Contact and Event through the REST API, created by external id, updated under a time
// precondition, polled by SOQL.
import type {
  Connector,
  ConnectorContext,
  PersonQuery,
  PollPage,
  PollRequest,
  UpdateRequest,
  WriteRequest,
  Written,
} from "../../src/connector/contract.ts";
import { SluiceError } from "../../src/core/errors.ts";
import { Phi } from "../../src/core/phi.ts";
import type { SourceRecord } from "../../src/core/records.ts";
import { Calls } from "./calls.ts";
import { connectionSchema, type SalesforceConnection } from "./connection.ts";
import { advance, condition, readCursor, writeCursor } from "./cursor.ts";
import { objectName, personType } from "./objects.ts";
import { sameId } from "./record-id.ts";
import { recordsOf, stampOf, toRecord } from "./records.ts";
import { Sessions } from "./sessions.ts";
import { dateLiteral, fieldName, recordId, select, textLiteral, type Select } from "./soql.ts";
import type { ApiUsage } from "./usage.ts";
import { unmodifiedSince, writableBody } from "./writes.ts";

const fresh: Readonly<Record<string, string>> = { "cache-control": "no-cache" };
/** Salesforce answers at most 2,000 rows a page. */
const largestPage = 2_000;
const fewRecords = 5;

export class SalesforceConnector implements Connector {
  readonly #system: ConnectorContext["system"];
  readonly #connection: SalesforceConnection;
  readonly #sessions: Sessions;
  readonly #calls: Calls;

  constructor(context: ConnectorContext) {
    this.#system = context.system;
    this.#connection = connectionSchema.parse(context.system.connection);
    this.#sessions = new Sessions(this.#connection, context);
    this.#calls = new Calls(context, this.#sessions);
  }

  /** The org's API usage as of the last answer; undefined before the first. */
  get usage(): ApiUsage | undefined {
    return this.#calls.usage;
  }

  /** In the configuration's own spelling (15 or 18 characters) when it is the same organization. */
  async identify(): Promise<Readonly<Record<string, string>>> {
    const actual = await this.#sessions.identify();
    const configured = this.#system.identity["organizationId"];
    return { organizationId: configured !== undefined && sameId(configured, actual) ? configured : actual };
  }

  async read(type: string, id: string, fields: readonly string[], isFresh = false): Promise<SourceRecord | undefined> {
    const names = this.#fields(fields).join(",");
    const path = `/sobjects/${objectName(type)}/${recordId(id)}?fields=${encodeURIComponent(names)}`;
    try {
      const { body } = await this.#calls.send({ method: "GET", path, ...(isFresh ? { headers: fresh } : {}) });
      return body && toRecord(this.#system.id, type, body);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async poll(request: PollRequest): Promise<PollPage> {
    const position = readCursor(request.cursor);
    const limit = Math.min(Math.max(request.limit, 1), largestPage);
    const { records, done, at } = await this.#query({
      type: request.type,
      fields: request.fields,
      where: condition(position),
      orderBy: ["SystemModstamp", "Id"],
      limit,
    });
    const last = records.at(-1);
    const more = last !== undefined && (records.length >= limit || !done);
    const overlapMs = this.#connection.overlapSeconds * 1000;
    const seen = last && { stamp: stampOf(last), id: last.ref.id };
    return { records, more, cursor: writeCursor(advance(position, { last: seen, more, at, overlapMs })) };
  }

  async findByLink(type: string, linkId: string, fields: readonly string[]): Promise<readonly SourceRecord[]> {
    const linkField = this.#connection.linkField;
    const where = `${linkField} = ${textLiteral(linkId)}`;
    const { records } = await this.#query({
      type,
      fields: [...fields, linkField],
      where,
      orderBy: ["Id"],
      limit: fewRecords,
    });
    // SOQL compares text without case; a link id is exact.
    return records.filter((record) => Phi.open(record.body)[linkField] === linkId);
  }

  async findPerson(type: string, query: PersonQuery, fields: readonly string[]): Promise<readonly SourceRecord[]> {
    if (type !== personType) throw new SluiceError("input-unknown-type", `${objectName(type)} is no person`);
    const parts = [
      query.family === "" ? [] : [`LastName = ${textLiteral(query.family)}`],
      query.given === "" ? [] : [`FirstName = ${textLiteral(query.given)}`],
      query.birthDate === "" ? [] : [`Birthdate = ${dateLiteral(query.birthDate)}`],
    ].flat();
    if (parts.length === 0) return [];
    const where = parts.join(" AND ");
    return (await this.#query({ type, fields, where, orderBy: ["Id"], limit: fewRecords })).records;
  }

  /** Upsert by external id: repeated under the same link id it finds the record that it made. */
  async create(request: WriteRequest): Promise<Written> {
    const { linkField } = this.#connection;
    const path = `/sobjects/${objectName(request.type)}/${linkField}/${encodeURIComponent(request.linkId)}`;
    const body = writableBody(request, linkField);
    const answer = await this.#calls.send({ method: "PATCH", path, body });
    const id = answer.body?.["id"] ?? (await this.#idOf(request));
    if (typeof id === "string" && id !== "") return { id, version: undefined };
    throw new SluiceError("system-answer-unknown", "the org does not tell the id of what it wrote", {
      status: answer.status,
    });
  }

  async update(request: UpdateRequest): Promise<Written> {
    const headers = { "if-unmodified-since": unmodifiedSince(request.changedAt) };
    const path = `/sobjects/${objectName(request.type)}/${recordId(request.id)}`;
    await this.#calls.send({ method: "PATCH", path, headers, body: writableBody(request, this.#connection.linkField) });
    return { id: request.id, version: undefined };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Older API versions answer an upsert that found its record with 204 and no id. The write is done: no failure of this
   * look-up (a guard's refusal least of all) may pass for one of the write.
   */
  async #idOf(request: WriteRequest): Promise<string | undefined> {
    try {
      return (await this.findByLink(request.type, request.linkId, []))[0]?.ref.id;
    } catch {
      return undefined;
    }
  }

  #fields(fields: readonly string[]): readonly string[] {
    return [...new Set(["Id", "SystemModstamp", ...fields.map(fieldName)])];
  }

  async #query(query: Select) {
    const soql = select({ ...query, type: objectName(query.type), fields: this.#fields(query.fields) });
    const call = { method: "GET", path: `/query?q=${encodeURIComponent(soql)}`, headers: fresh } as const;
    const { body, at } = await this.#calls.send(call);
    const records = recordsOf(body).map((json) => toRecord(this.#system.id, query.type, json));
    const done = body?.["done"] !== false;
    if (!done && records.length === 0) {
      throw new SluiceError("system-answer-malformed", "the org says that there is more but gives none of it");
    }
    return { records, done, at };
  }
}

/** Only when the org itself says so: another 404 may be a wrong address. */
function isMissing(error: unknown): boolean {
  if (!(error instanceof SluiceError)) return false;
  return error.code === "record-not-found" && error.detail.vendorCode !== undefined;
}
