// SOQL and path parts made safely: names are checked against their grammar, ids against the 15/18 form, text is escaped.
// The vendor's client puts ids and keys into paths as they are, so nothing unchecked may reach it.
import { SluiceError } from "../../src/core/errors.ts";

/** A field or object name; relationship paths are not spoken. */
export const fieldNamePattern = /^[A-Za-z][A-Za-z0-9_]*$/;
const idPattern = /^[a-zA-Z0-9]{15}([a-zA-Z0-9]{3})?$/;
const datePattern = /^\d{4}-\d{2}-\d{2}$/;

/** The name itself. Throws `input-malformed` when it is none. */
export function fieldName(name: string): string {
  if (fieldNamePattern.test(name)) return name;
  throw new SluiceError("input-malformed", "this is no Salesforce field name", {
    hint: "letters, digits and _ only: check the mapping's field names",
  });
}

/** The id itself, 15 or 18 characters. Throws `input-malformed` when it is none. */
export function recordId(id: string): string {
  if (idPattern.test(id)) return id;
  throw new SluiceError("input-malformed", "this is no Salesforce record id", {
    hint: "a record id has 15 or 18 letters and digits",
  });
}

/** A quoted string literal. Escapes of the SOQL reference, "Quoted String Escape Sequences". */
export function textLiteral(text: string): string {
  const escaped = text.replace(/[\\'"\n\r\t\b\f]/g, (char) => escapes[char] ?? char);
  return `'${escaped}'`;
}

const escapes: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "'": "\\'",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\f": "\\f",
};

/** A date literal `YYYY-MM-DD`. Throws `input-malformed`. */
export function dateLiteral(date: string): string {
  if (datePattern.test(date)) return date;
  throw new SluiceError("input-malformed", "a date YYYY-MM-DD is wanted", { elements: ["birthDate"] });
}

/** A datetime literal in UTC; milliseconds only where there are some. */
export function instantLiteral(ms: number): string {
  const text = new Date(ms).toISOString();
  return ms % 1000 === 0 ? text.replace(/\.\d{3}Z$/, "Z") : text;
}

export interface Select {
  readonly type: string;
  readonly fields: readonly string[];
  /** Ready-made condition; absent = all records. */
  readonly where?: string | undefined;
  readonly orderBy: readonly string[];
  readonly limit: number;
}

export function select(query: Select): string {
  const where = query.where === undefined ? "" : ` WHERE ${query.where}`;
  const fields = query.fields.map(fieldName).join(", ");
  const order = query.orderBy.map(fieldName).join(", ");
  return `SELECT ${fields} FROM ${fieldName(query.type)}${where} ORDER BY ${order} LIMIT ${query.limit}`;
}
