// The one JSON.parse: returns unknown, refuses oversized text, and never puts the text into its error.
import { SluiceError } from "./errors.ts";

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json | undefined;
}

/** Parses JSON text. Throws `input-malformed` or, above `maxLength` UTF-16 units, `input-too-large`. */
export function parseJson(text: string, maxLength = 16 * 1024 * 1024): unknown {
  if (text.length > maxLength) {
    throw new SluiceError("input-too-large", `the JSON text is longer than ${maxLength} characters`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new SluiceError("input-malformed", "the text is not valid JSON", {
      hint: "send one JSON value, UTF-8, without comments or trailing commas",
    });
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** JSON with sorted member names and no white space (RFC 8785 for the strings, integers and booleans used here). */
export function canonicalJson(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (isJsonObject(value)) {
    const members = Object.keys(value)
      .filter((name) => value[name] !== undefined)
      .sort()
      .map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name])}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value ?? null);
}
