// Counts what the pipeline asks of the store: how often each verb, how many of them write, and how large their data is.
import type { Store } from "../src/exchange/ports.ts";

/** Verbs that end in a durable commit. */
const writing: ReadonlySet<string> = new Set([
  ...["accept", "claim", "renew", "release", "head", "move", "begin", "unsend", "settle", "defer", "quarantine"],
  ...["finish", "supersede", "observe", "append", "put", "putConsent", "bind", "pause", "resume", "activate"],
  ...["erase", "personKey", "pseudonym", "hasten"],
]);

export interface StoreCall {
  readonly name: string;
  readonly writes: boolean;
  /** Characters of its arguments as JSON. */
  readonly size: number;
}

/** Also those that a class declares. */
function verbsOf(port: object): ReadonlySet<string> {
  const prototype = Object.getPrototypeOf(port) as object;
  const declared = prototype === Object.prototype ? [] : Object.getOwnPropertyNames(prototype);
  return new Set([...Object.keys(port), ...declared].filter((name) => name !== "constructor"));
}

type Verb = (...values: readonly unknown[]) => unknown;

/** Replaces the verbs of the store's ports by counting ones; sizes are measured only while a recording runs. */
export class CountedStore {
  #calls: StoreCall[] | undefined;

  constructor(store: Store) {
    const { ledger, audit, links, facts, cursors, systems, versions, changes, registers, blobs, vault } = store;
    const ports = { ledger, audit, links, facts, cursors, systems, versions, changes, registers, blobs, vault };
    for (const [port, verbs] of Object.entries(ports)) this.#wrap(port, verbs as unknown as Record<string, Verb>);
  }

  start(): void {
    this.#calls = [];
  }

  stop(): readonly StoreCall[] {
    const calls = this.#calls ?? [];
    this.#calls = undefined;
    return calls;
  }

  #wrap(port: string, verbs: Record<string, Verb>): void {
    for (const name of verbsOf(verbs)) {
      const verb = verbs[name]?.bind(verbs);
      if (!verb) continue;
      verbs[name] = (...values) => {
        if (this.#calls) {
          const moves = port === "registers" && name === "move";
          const writes = (writing.has(name) || moves) && name !== "get";
          this.#calls.push({ name: `${port}.${name}`, writes, size: JSON.stringify(values).length });
        }
        return verb(...values);
      };
    }
  }
}
