// The sandbox org's records: what its users and its API clients write, stamped in whole seconds, with every version kept.
import { longId } from "../record-id.ts";
import { fieldOf } from "./evaluate.ts";
import { Refusal } from "./refusal.ts";
import { checkValue, stampText, type Fields, type SandboxObject, type Value } from "./schema.ts";

/** One version of a record, by the one who wrote it. */
export interface Version {
  readonly by: "user" | "api";
  /** Change time, as in SystemModstamp. */
  readonly at: string;
  readonly requestId: string | undefined;
  readonly fields: Fields;
}

export interface Author {
  readonly by: "user" | "api";
  readonly requestId?: string | undefined;
  /** The change bears a time so many milliseconds ago. */
  readonly agoMs?: number;
}

/** A rule of the org's own: the reason (and field) for which it refuses a record as it would be saved. */
export type ValidationRule = (
  type: string,
  record: Fields,
) => { readonly message: string; readonly field?: string } | undefined;

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

export class Org {
  readonly #schema: ReadonlyMap<string, SandboxObject>;
  readonly #now: () => number;
  readonly #tables = new Map<string, Map<string, Fields>>();
  readonly #histories = new Map<string, Version[]>();
  #lastNumber = 0;
  rule: ValidationRule | undefined;

  constructor(schema: ReadonlyMap<string, SandboxObject>, now: () => number) {
    this.#schema = schema;
    this.#now = now;
    for (const name of schema.keys()) this.#tables.set(name, new Map());
  }

  /** Throws Refusal `NOT_FOUND` for an object that the org does not have. */
  object(type: string): SandboxObject {
    const object = this.#schema.get(type);
    if (object) return object;
    throw new Refusal(404, "NOT_FOUND", "The requested resource does not exist");
  }

  records(type: string): Map<string, Fields> {
    this.object(type);
    return this.#tables.get(type) ?? new Map<string, Fields>();
  }

  history(type: string, id: string): readonly Version[] {
    return this.#histories.get(`${type}/${longId(id)}`) ?? [];
  }

  get(type: string, id: string): Fields {
    const record = this.records(type).get(longId(id));
    if (record) return record;
    throw new Refusal(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible");
  }

  create(type: string, fields: Readonly<Record<string, unknown>>, author: Author): string {
    const object = this.object(type);
    const start = Object.fromEntries([...object.fields.values()].map((field) => [field.name, field.initial]));
    const changed = this.#checked(object, fields);
    this.#lastNumber += 1;
    const id = longId(object.keyPrefix + "5e" + base62(this.#lastNumber).padStart(10, "0"));
    this.#save(object, id, { ...start, ...changed, Id: id, IsDeleted: false }, author);
    return id;
  }

  update(type: string, id: string, fields: Readonly<Record<string, unknown>>, author: Author): void {
    const object = this.object(type);
    const before = this.get(type, id);
    this.#save(object, longId(id), { ...before, ...this.#checked(object, fields) }, author);
  }

  remove(type: string, id: string): void {
    this.get(type, id);
    this.records(type).delete(longId(id));
  }

  #checked(object: SandboxObject, fields: Readonly<Record<string, unknown>>): Fields {
    const entries = Object.entries(fields).map(([name, value]): [string, Value] => {
      const field = fieldOf(object, name);
      if (field.readOnly) {
        throw new Refusal(400, "INVALID_FIELD_FOR_INSERT_UPDATE", `Unable to create/update fields: ${name}`, [name]);
      }
      return [field.name, checkValue(field, value)];
    });
    return Object.fromEntries(entries);
  }

  #save(object: SandboxObject, id: string, fields: Fields, author: Author): void {
    const missing = [...object.fields.values()].filter((field) => field.required && fields[field.name] === null);
    if (missing.length > 0) {
      const names = missing.map((field) => field.name);
      throw new Refusal(400, "REQUIRED_FIELD_MISSING", `Required fields are missing: [${names.join(", ")}]`, names);
    }
    const whole = object.name === "Event" ? this.#event(fields) : named(fields);
    const broken = author.by === "api" ? this.rule?.(object.name, whole) : undefined;
    if (broken) {
      const where = broken.field === undefined ? [] : [broken.field];
      throw new Refusal(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", broken.message, where);
    }
    const at = stampText(Math.floor((this.#now() - (author.agoMs ?? 0)) / 1000) * 1000);
    const created = this.records(object.name).get(id)?.["CreatedDate"] ?? at;
    const saved = { ...whole, CreatedDate: created, LastModifiedDate: at, SystemModstamp: at };
    this.records(object.name).set(id, saved);
    const key = `${object.name}/${id}`;
    const version = { by: author.by, at, requestId: author.requestId, fields: saved };
    this.#histories.set(key, [...(this.#histories.get(key) ?? []), version]);
  }

  /** Object Reference, "Event": a start and an end or a duration; an existing person. */
  #event(fields: Fields): Fields {
    const { WhoId: who, StartDateTime: start, DurationInMinutes: minutes, EndDateTime: end } = fields;
    if (typeof who === "string" && who.startsWith("003") && !this.records("Contact").has(longId(who))) {
      throw new Refusal(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ["WhoId"]);
    }
    if (typeof start !== "string") {
      if (fields["IsAllDayEvent"] === true && fields["ActivityDate"] !== null) return fields;
      throw new Refusal(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [StartDateTime]", [
        "StartDateTime",
      ]);
    }
    const from = Date.parse(start);
    const to =
      typeof end === "string" ? Date.parse(end) : typeof minutes === "number" ? from + minutes * 60_000 : undefined;
    if (to === undefined) {
      throw new Refusal(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [EndDateTime]", ["EndDateTime"]);
    }
    if (to < from) throw new Refusal(400, "FIELD_INTEGRITY_EXCEPTION", "End before start", ["EndDateTime"]);
    return { ...fields, EndDateTime: stampText(to), DurationInMinutes: Math.floor((to - from) / 60_000) };
  }
}

function named(fields: Fields): Fields {
  const parts = [fields["FirstName"], fields["LastName"]].filter((part) => typeof part === "string");
  return { ...fields, Name: parts.join(" ") };
}

function base62(number: number): string {
  return number < 62 ? digits.charAt(number) : base62(Math.floor(number / 62)) + digits.charAt(number % 62);
}
