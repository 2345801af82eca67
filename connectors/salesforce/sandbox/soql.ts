// A reader for the part of SOQL that clients here speak: SELECT fields FROM object WHERE … ORDER BY … LIMIT n. Like the
// real one it refuses AND and OR side by side without parentheses.
import { Refusal } from "./refusal.ts";

export type Literal =
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "null" }
  | { readonly kind: "date"; readonly value: string }
  | { readonly kind: "datetime"; readonly value: number };

export type Operator = "=" | "!=" | "<" | "<=" | ">" | ">=";

export type Condition =
  | { readonly op: "and" | "or"; readonly parts: readonly Condition[] }
  | { readonly op: "compare"; readonly field: string; readonly operator: Operator; readonly literal: Literal };

export interface Query {
  readonly fields: readonly string[];
  readonly object: string;
  readonly where: Condition | undefined;
  readonly orderBy: readonly { readonly field: string; readonly descending: boolean }[];
  readonly limit: number | undefined;
}

const tokenPattern =
  /\s*(?:('(?:[^'\\]|\\.)*')|(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2}))|(\d{4}-\d{2}-\d{2})|(-?\d+(?:\.\d+)?)|([A-Za-z][A-Za-z0-9_]*)|(<=|>=|!=|<>|[=<>(),]))/y;

interface Token {
  readonly kind: "text" | "datetime" | "date" | "number" | "word" | "sign";
  readonly text: string;
}

const kinds = ["text", "datetime", "date", "number", "word", "sign"] as const;

/** Throws Refusal `MALFORMED_QUERY`. */
export function parseSoql(text: string): Query {
  return new Reader(tokens(text)).query();
}

function tokens(text: string): readonly Token[] {
  const found: Token[] = [];
  const end = text.trimEnd().length;
  for (let at = 0; at < end;) {
    tokenPattern.lastIndex = at;
    const match = tokenPattern.exec(text);
    if (!match) throw malformed("unexpected character");
    const index = kinds.findIndex((_, i) => match[i + 1] !== undefined);
    found.push({ kind: kinds[index] ?? "sign", text: match[index + 1] ?? "" });
    at = tokenPattern.lastIndex;
  }
  return found;
}

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(list: readonly Token[]) {
    this.#tokens = list;
  }

  query(): Query {
    this.#word("SELECT");
    const fields = this.#list(() => this.#name());
    this.#word("FROM");
    const object = this.#name();
    const where = this.#is("WHERE") ? this.#condition() : undefined;
    const orderBy = this.#is("ORDER") ? this.#order() : [];
    const limit = this.#is("LIMIT") ? this.#count() : undefined;
    if (this.#at < this.#tokens.length) throw malformed("unexpected token");
    return { fields, object, where, orderBy, limit };
  }

  #condition(): Condition {
    const parts = [this.#term()];
    const op = this.#peek("AND") ? "and" : "or";
    while (this.#is(op.toUpperCase())) parts.push(this.#term());
    if (this.#peek("AND") || this.#peek("OR")) throw malformed("AND and OR need parentheses");
    const [only] = parts;
    return parts.length === 1 && only ? only : { op, parts };
  }

  #term(): Condition {
    if (this.#sign("(")) {
      const inner = this.#condition();
      if (!this.#sign(")")) throw malformed("missing )");
      return inner;
    }
    const field = this.#name();
    const operator = this.#next().text.replace("<>", "!=");
    if (!["=", "!=", "<", "<=", ">", ">="].includes(operator)) throw malformed("unknown operator");
    return { op: "compare", field, operator: operator as Operator, literal: literalOf(this.#next()) };
  }

  #order(): Query["orderBy"] {
    this.#word("BY");
    return this.#list(() => {
      const field = this.#name();
      const descending = this.#is("DESC");
      if (!descending) this.#is("ASC");
      return { field, descending };
    });
  }

  #list<T>(item: () => T): readonly T[] {
    const items = [item()];
    while (this.#sign(",")) items.push(item());
    return items;
  }

  #count(): number {
    const token = this.#next();
    if (token.kind !== "number" || !/^\d+$/.test(token.text)) throw malformed("LIMIT wants a number");
    return Number(token.text);
  }

  #name(): string {
    const token = this.#next();
    if (token.kind !== "word") throw malformed("a name is wanted");
    return token.text;
  }

  #next(): Token {
    const token = this.#tokens[this.#at];
    if (!token) throw malformed("unexpected end");
    this.#at += 1;
    return token;
  }

  #peek(word: string): boolean {
    const token = this.#tokens[this.#at];
    return token?.kind === "word" && token.text.toUpperCase() === word;
  }

  #is(word: string): boolean {
    const found = this.#peek(word);
    if (found) this.#at += 1;
    return found;
  }

  #word(word: string): void {
    if (!this.#is(word)) throw malformed(`${word} is wanted`);
  }

  #sign(sign: string): boolean {
    const token = this.#tokens[this.#at];
    const found = token?.kind === "sign" && token.text === sign;
    if (found) this.#at += 1;
    return found;
  }
}

function literalOf(token: Token): Literal {
  switch (token.kind) {
    case "text":
      return { kind: "text", value: unescape(token.text.slice(1, -1)) };
    case "number":
      return { kind: "number", value: Number(token.text) };
    case "date":
      return { kind: "date", value: token.text };
    case "datetime":
      return { kind: "datetime", value: Date.parse(token.text) };
    default:
      return wordLiteral(token.text.toLowerCase());
  }
}

function wordLiteral(word: string): Literal {
  if (word === "null") return { kind: "null" };
  if (word === "true" || word === "false") return { kind: "boolean", value: word === "true" };
  throw malformed("unknown literal");
}

function unescape(text: string): string {
  const plain: Readonly<Record<string, string>> = {
    n: "\n",
    r: "\r",
    t: "\t",
    b: "\b",
    f: "\f",
    "\\": "\\",
    "'": "'",
    '"': '"',
  };
  return text.replace(/\\(.)/g, (_, char: string) => {
    const value = plain[char];
    if (value === undefined) throw malformed("unknown escape");
    return value;
  });
}

function malformed(why: string): Refusal {
  return new Refusal(400, "MALFORMED_QUERY", why);
}
