// Wraps a port so that every promise and every iterator of it rejects with a SluiceError only, at one place for all verbs.
import { translate } from "./failure.ts";

type Verb = (...values: readonly unknown[]) => unknown;

/** The same verbs, own or inherited ones of a class. */
export function translatedPort<P extends object>(port: P): P {
  const wrapped: Record<string, unknown> = {};
  for (const name of verbsOf(port)) {
    const verb = (port as Record<string, unknown>)[name];
    if (typeof verb === "function")
      wrapped[name] = (...values: unknown[]) => outcome((verb as Verb).apply(port, values));
  }
  return wrapped as P;
}

function verbsOf(port: object): readonly string[] {
  const prototype = Object.getPrototypeOf(port) as object;
  const inherited = prototype === Object.prototype ? [] : Object.getOwnPropertyNames(prototype);
  return [...Object.keys(port), ...inherited].filter((name) => name !== "constructor");
}

function outcome(value: unknown): unknown {
  if (value instanceof Promise) return settled(value);
  if (isIterable(value)) return items(value);
  return value;
}

async function settled(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    throw translate(error);
  }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

async function* items(source: AsyncIterable<unknown>): AsyncGenerator {
  try {
    yield* source;
  } catch (error) {
    throw translate(error);
  }
}
