// Answers a parsed query from the records of one object: text without regard to case, ids by their first 15 characters,
// null never smaller or larger than anything.
import { Refusal } from "./refusal.ts";
import type { Field, Fields, SandboxObject, Value } from "./schema.ts";
import { stampText } from "./schema.ts";
import type { Condition, Literal, Operator, Query } from "./soql.ts";

/** The matching records in order. Throws Refusal `INVALID_FIELD` for unknown fields and literals of the wrong type. */
export function evaluate(query: Query, object: SandboxObject, records: Iterable<Fields>): readonly Fields[] {
  for (const name of query.fields) fieldOf(object, name);
  const test = query.where ? compile(query.where, object) : () => true;
  const order = query.orderBy.map(({ field, descending }) => ({
    field: fieldOf(object, field),
    sign: descending ? -1 : 1,
  }));
  const found = [...records].filter(test).sort((one, other) => {
    for (const { field, sign } of order) {
      const result = compare(field, one[field.name] ?? null, other[field.name] ?? null);
      if (result !== 0) return result * sign;
    }
    return 0;
  });
  return query.limit === undefined ? found : found.slice(0, query.limit);
}

/** Field names are matched without regard to case, as the org does. */
export function fieldOf(object: SandboxObject, name: string): Field {
  const exact =
    object.fields.get(name) ??
    [...object.fields.values()].find((field) => field.name.toLowerCase() === name.toLowerCase());
  if (exact) return exact;
  throw new Refusal(400, "INVALID_FIELD", `No such column '${name}' on entity '${object.name}'.`);
}

function compile(condition: Condition, object: SandboxObject): (record: Fields) => boolean {
  if (condition.op !== "compare") {
    const parts = condition.parts.map((part) => compile(part, object));
    return condition.op === "and" ? (r) => parts.every((part) => part(r)) : (r) => parts.some((part) => part(r));
  }
  const field = fieldOf(object, condition.field);
  const wanted = sortable(field, wantedValue(field, condition.literal));
  const holds = operators[condition.operator];
  return (record) => {
    const value = sortable(field, record[field.name] ?? null);
    if (wanted === null || value === null)
      return condition.operator === "=" ? wanted === value : condition.operator === "!=" && wanted !== value;
    return holds(value < wanted ? -1 : value > wanted ? 1 : 0);
  };
}

const operators: Readonly<Record<Operator, (order: number) => boolean>> = {
  "=": (order) => order === 0,
  "!=": (order) => order !== 0,
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

function wantedValue(field: Field, literal: Literal): Value {
  if (literal.kind === "null") return null;
  const kind = literalKinds[field.type] ?? "text";
  if (literal.kind !== kind) {
    throw new Refusal(
      400,
      "INVALID_FIELD",
      `value of filter criterion for field '${field.name}' must be of type ${field.type}`,
    );
  }
  return literal.kind === "datetime" ? stampText(literal.value) : literal.value;
}

const literalKinds: Readonly<Partial<Record<Field["type"], Literal["kind"]>>> = {
  boolean: "boolean",
  int: "number",
  date: "date",
  datetime: "datetime",
};

function compare(field: Field, one: Value, other: Value): number {
  const [a, b] = [sortable(field, one), sortable(field, other)];
  if (a === null || b === null) return Number(b === null) - Number(a === null) === 0 ? 0 : a === null ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function sortable(field: Field, value: Value): string | number | null {
  if (typeof value === "boolean") return Number(value);
  if (typeof value !== "string") return value;
  if (field.type === "id" || field.type === "reference") return value.slice(0, 15);
  return value.toLowerCase();
}
