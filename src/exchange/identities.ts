// Is the system still the one that the configuration is bound to? Asked before the first call of each process and again
// after a pause: a refreshed sandbox has the same record ids under another organization (ARCHITECTURE, What always
// holds 14).
import type { RequestGuard } from "../connector/guard.ts";
import { withGuard } from "../connector/guard.ts";
import type { Connector } from "../connector/contract.ts";
import type { SystemConfig } from "../core/configuration.ts";
import { SluiceError } from "../core/errors.ts";
import { canonicalJson } from "../core/json.ts";
import type { Systems } from "./ports.ts";

export class Identities {
  readonly #systems: Systems;
  readonly #known = new Map<string, Promise<void>>();

  constructor(systems: Systems) {
    this.#systems = systems;
  }

  /** Throws `identity-mismatch`, naming both identities, or what the connector throws when the system cannot be asked. */
  ensure(system: SystemConfig, connector: Connector): Promise<void> {
    const known = this.#known.get(system.id);
    if (known) return known;
    const asked = this.#ask(system, connector).catch((error: unknown) => {
      this.#known.delete(system.id);
      throw error;
    });
    this.#known.set(system.id, asked);
    return asked;
  }

  /** The next call asks again. */
  forget(system: string): void {
    this.#known.delete(system);
  }

  async #ask(system: SystemConfig, connector: Connector): Promise<void> {
    const presented = await withGuard(onlyReads, () => connector.identify());
    const expected = system.identity;
    const wrong = Object.keys(expected).filter((name) => presented[name] !== expected[name]);
    if (Object.keys(expected).length === 0 || wrong.length > 0) throw mismatch(system.id, expected, presented);
    const bound = Object.fromEntries(Object.keys(expected).map((name) => [name, expected[name] ?? ""]));
    if (await this.#systems.bind(system.id, bound)) return;
    const { identity } = await this.#systems.get(system.id);
    throw mismatch(system.id, identity ?? {}, presented);
  }
}

const onlyReads: RequestGuard = {
  requestId: "identify",
  check({ unsafe }) {
    if (unsafe) throw new SluiceError("not-sent", "asking for the identity makes no write");
  },
};

function mismatch(
  system: string,
  expected: Readonly<Record<string, string>>,
  presented: Readonly<Record<string, string>>,
): SluiceError {
  const named = Object.fromEntries(Object.keys(expected).map((name) => [name, presented[name]]));
  return new SluiceError(
    "identity-mismatch",
    `${system} is not the system it is bound to: expected ${canonicalJson(expected)}, it says ${canonicalJson(named)}`,
    { hint: "if it was refreshed or moved on purpose, set identity in its file and start with a new data directory" },
  );
}
