// The sandbox's REST resources: sObject Rows, upsert by external id, Query with its pages.
import type { SandboxAnswer, SandboxRequest } from "../../../src/connector/sandbox.ts";
import { isJsonObject, parseJson } from "../../../src/core/json.ts";
import { evaluate, fieldOf } from "./evaluate.ts";
import type { Author, Org } from "./org.ts";
import { json, Refusal } from "./refusal.ts";
import type { Fields, SandboxObject } from "./schema.ts";
import { parseSoql } from "./soql.ts";

/** What one request is about, once its path is read. */
export interface Target {
  readonly version: number;
  readonly kind: "rows" | "row" | "external" | "query" | "more";
  readonly type: string;
  /** Record id, external value or query locator. */
  readonly key: string;
  readonly externalField: string;
}

/** Throws Refusal `NOT_FOUND`. */
export function readTarget(path: string): Target {
  const match = /^\/services\/data\/v(\d{2})\.0\/(.*)$/.exec(path);
  const version = Number(match?.[1]);
  if (!match || version < 31 || version > 67)
    throw new Refusal(404, "NOT_FOUND", "The requested resource does not exist");
  const [area, type = "", third, fourth, more] = (match[2] ?? "").split("/").map(decodeURIComponent);
  const target = { version, type, key: "", externalField: "" };
  if (more === undefined && area === "sobjects" && type !== "") {
    if (third === undefined) return { ...target, kind: "rows" };
    if (fourth === undefined) return { ...target, kind: "row", key: third };
    return { ...target, kind: "external", externalField: third, key: fourth };
  }
  if (area === "query" && third === undefined)
    return { ...target, kind: type === "" ? "query" : "more", type: "", key: type };
  throw new Refusal(404, "NOT_FOUND", "The requested resource does not exist");
}

export class RestApi {
  readonly #org: Org;
  readonly #pages = new Map<string, { readonly rows: readonly unknown[]; readonly size: number }>();
  #lastLocator = 0;

  constructor(org: Org) {
    this.#org = org;
  }

  read(target: Target, request: SandboxRequest): SandboxAnswer {
    if (target.kind === "query") return this.#query(target, request);
    if (target.kind === "more") return this.#more(target);
    if (target.kind === "row") return this.#row(target, request);
    throw new Refusal(405, "METHOD_NOT_ALLOWED", "HTTP Method 'GET' not allowed");
  }

  write(target: Target, request: SandboxRequest, author: Author): SandboxAnswer {
    const { type, key, kind } = target;
    if (request.method === "PATCH" && kind === "external") return this.#upsert(target, fieldsOf(request), author);
    if (request.method === "POST" && kind === "rows") {
      return json(201, { id: this.#org.create(type, fieldsOf(request), author), success: true, errors: [] });
    }
    if (kind === "row" && (request.method === "PATCH" || request.method === "DELETE")) {
      const record = this.#org.get(type, key);
      if (request.method === "DELETE") this.#org.remove(type, key);
      else {
        checkUnmodified(record, request.headers["if-unmodified-since"]);
        this.#org.update(type, key, fieldsOf(request), author);
      }
      return { status: 204 };
    }
    throw new Refusal(405, "METHOD_NOT_ALLOWED", `HTTP Method '${request.method}' not allowed`);
  }

  #row(target: Target, request: SandboxRequest): SandboxAnswer {
    const object = this.#org.object(target.type);
    const record = this.#org.get(target.type, target.key);
    const asked = request.url.searchParams.get("fields")?.split(",") ?? [...object.fields.keys()];
    return json(200, shown(target.version, object, record, [...new Set([...asked, "Id"])]));
  }

  #upsert(target: Target, fields: Readonly<Record<string, unknown>>, author: Author): SandboxAnswer {
    const { type, key, version } = target;
    const field = fieldOf(this.#org.object(type), target.externalField);
    if (!field.externalId)
      throw new Refusal(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible");
    if (field.name in fields) {
      throw new Refusal(400, "INVALID_FIELD", `The ${field.name} field should not be specified in the sobject data.`);
    }
    const wanted = key.toLowerCase();
    const found = [...this.#org.records(type)].filter(
      ([, record]) => String(record[field.name] ?? "").toLowerCase() === wanted,
    );
    const [first, second] = found;
    if (second)
      return json(
        300,
        found.map(([id]) => `/services/data/v${version}.0/sobjects/${type}/${id}`),
      );
    if (!first) {
      const id = this.#org.create(type, { ...fields, [field.name]: key }, author);
      return json(201, { id, success: true, errors: [], created: true });
    }
    this.#org.update(type, first[0], fields, author);
    return version < 46 ? { status: 204 } : json(200, { id: first[0], success: true, errors: [], created: false });
  }

  #query(target: Target, request: SandboxRequest): SandboxAnswer {
    const query = parseSoql(request.url.searchParams.get("q") ?? "");
    const object = this.#objectOfQuery(query.object);
    const records = evaluate(query, object, this.#org.records(object.name).values());
    const rows = records.map((record) => shown(target.version, object, record, query.fields));
    return this.#page(target.version, rows, rows.length, batchSize(request.headers["sforce-query-options"]));
  }

  #objectOfQuery(name: string): SandboxObject {
    try {
      return this.#org.object(name);
    } catch {
      throw new Refusal(400, "INVALID_TYPE", `sObject type '${name}' is not supported.`);
    }
  }

  #more(target: Target): SandboxAnswer {
    const waiting = this.#pages.get(target.key);
    if (!waiting) throw new Refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
    return this.#page(target.version, waiting.rows, waiting.size, 2_000);
  }

  #page(version: number, rows: readonly unknown[], totalSize: number, size: number): SandboxAnswer {
    const records = rows.slice(0, size);
    if (rows.length <= size) return json(200, { totalSize, done: true, records });
    this.#lastLocator += 1;
    const locator = `01g5e000000${String(this.#lastLocator).padStart(4, "0")}-${size}`;
    this.#pages.set(locator, { rows: rows.slice(size), size: totalSize });
    return json(200, {
      totalSize,
      done: false,
      nextRecordsUrl: `/services/data/v${version}.0/query/${locator}`,
      records,
    });
  }
}

function shown(version: number, object: SandboxObject, record: Fields, names: readonly string[]): unknown {
  const url = `/services/data/v${version}.0/sobjects/${object.name}/${String(record["Id"])}`;
  const fields = names.map((name) => fieldOf(object, name).name);
  return {
    attributes: { type: object.name, url },
    ...Object.fromEntries(fields.map((name) => [name, record[name] ?? null])),
  };
}

function fieldsOf(request: SandboxRequest): Readonly<Record<string, unknown>> {
  let body: unknown;
  try {
    body = parseJson(request.body);
  } catch {
    throw new Refusal(400, "JSON_PARSER_ERROR", "Unexpected character");
  }
  if (!isJsonObject(body)) throw new Refusal(400, "JSON_PARSER_ERROR", "an object is wanted");
  const { attributes: _attributes, ...fields } = body;
  return fields;
}

function checkUnmodified(record: Fields, header: string | undefined): void {
  if (header === undefined) return;
  const since = Date.parse(header);
  if (Number.isNaN(since)) throw new Refusal(400, "INVALID_HEADER", "If-Unmodified-Since is no HTTP date");
  if (Date.parse(String(record["LastModifiedDate"])) > since) {
    throw new Refusal(412, "PRECONDITION_FAILED", "the record has been modified since");
  }
}

function batchSize(header: string | string[] | undefined): number {
  const wanted = Number(/batchSize=(\d+)/.exec(String(header ?? ""))?.[1] ?? 2_000);
  return Math.min(Math.max(wanted, 200), 2_000);
}
