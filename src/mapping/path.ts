// Reads the path language of mappings: the part of FHIRPath that can be written as well as read. A path is names joined
// by dots, each with an optional `.where(a='x' and b.c=true)`, `.where(a.startsWith('x'))` and `[n]`.
import type { SluiceError } from "../core/errors.ts";

/** Makes the error for one place in the configuration: what is wrong, and what to do. */
export type Fail = (problem: string, hint: string) => SluiceError;

export interface Condition {
  /** Names below the element that is filtered. */
  readonly path: readonly string[];
  readonly operator: "=" | "startsWith";
  readonly value: string | boolean;
}

export interface PathStep {
  readonly name: string;
  /** All must hold; the first element of the list for which they do is meant. */
  readonly where: readonly Condition[];
  readonly index: number | undefined;
}

const grammar =
  "write names joined by dots, .where(name='value' and other='value') and [0], for example name.where(use='official').given[0]";

/** Parses a path. Throws what `fail` makes (`config-invalid`), naming the position. */
export function parsePath(text: string, fail: Fail): readonly PathStep[] {
  const reader = new Reader(text, fail);
  const steps: PathStep[] = [];
  do {
    const name = reader.name();
    const where = reader.take(".where(") ? conditions(reader) : [];
    const index = reader.take("[") ? reader.index() : undefined;
    steps.push({ name, where, index });
  } while (reader.take("."));
  reader.end();
  return steps;
}

/** The path without filters and indexes, as allow-lists and the audit log name it: `telecom.value`. */
export function elementPath(steps: readonly PathStep[]): string {
  return steps.map((step) => step.name).join(".");
}

function conditions(reader: Reader): readonly Condition[] {
  const found: Condition[] = [];
  do found.push(condition(reader));
  while (reader.takeWord("and"));
  reader.expect(")");
  return found;
}

function condition(reader: Reader): Condition {
  const path = [reader.name()];
  while (reader.take(".")) {
    if (reader.take("startsWith(")) {
      const value = reader.literal();
      reader.expect(")");
      return { path, operator: "startsWith", value };
    }
    path.push(reader.name());
  }
  reader.spaces();
  reader.expect("=");
  reader.spaces();
  return { path, operator: "=", value: reader.literal() };
}

/** A cursor over the text; every method either moves on or throws. */
class Reader {
  readonly #text: string;
  readonly #fail: Fail;
  #at = 0;

  constructor(text: string, fail: Fail) {
    this.#text = text;
    this.#fail = fail;
  }

  take(token: string): boolean {
    const found = this.#text.startsWith(token, this.#at);
    if (found) this.#at += token.length;
    return found;
  }

  takeWord(word: string): boolean {
    return this.#match(new RegExp(`\\s+${word}\\s+`, "y")) !== undefined;
  }

  spaces(): void {
    this.#match(/\s*/y);
  }

  expect(token: string): void {
    if (!this.take(token)) throw this.#wrong(`"${token}" expected`);
  }

  name(): string {
    const name = this.#match(/[A-Za-z][A-Za-z0-9]*/y);
    if (name === undefined) throw this.#wrong("an element name expected");
    return name;
  }

  index(): number {
    const digits = this.#match(/\d{1,3}/y);
    if (digits === undefined) throw this.#wrong("a number expected");
    this.expect("]");
    return Number(digits);
  }

  /** `'text'` with `\'` and `\\` inside, `true` or `false`. */
  literal(): string | boolean {
    const text = this.#match(/'(?:[^'\\]|\\['\\])*'|true\b|false\b/y);
    if (text === undefined) throw this.#wrong("a text in single quotes, true or false expected");
    if (!text.startsWith("'")) return text === "true";
    return text.slice(1, -1).replaceAll(/\\(['\\])/g, "$1");
  }

  end(): void {
    if (this.#at < this.#text.length) throw this.#wrong("the path should end here");
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #wrong(problem: string): SluiceError {
    return this.#fail(`the path "${this.#text}" cannot be read at character ${this.#at + 1}: ${problem}`, grammar);
  }
}
