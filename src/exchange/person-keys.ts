// Each person's own data key: random, wrapped under the deployment's data key, kept in the vault. Destroying a person's
// row later makes what was sealed under it unreadable.
import type { Keys } from "../core/configuration.ts";
import { SluiceError } from "../core/errors.ts";
import { hmacId, type Random } from "../core/ids.ts";
import { seal, unseal } from "../core/seal.ts";
import type { Vault } from "./ports.ts";

const most = 10_000;

export class PersonKeys {
  readonly #vault: Vault;
  readonly #keys: Keys;
  readonly #random: Random;
  readonly #known = new Map<string, Buffer>();

  constructor(vault: Vault, keys: Keys, random: Random) {
    this.#vault = vault;
    this.#keys = keys;
    this.#random = random;
  }

  /** The person's name in the audit log: HMAC under the id key. */
  pseudonym(person: string): string {
    return hmacId(this.#keys.id, "person-pseudonym", person).slice(0, 22);
  }

  /** 32 bytes, made on first use. */
  async of(person: string): Promise<Buffer> {
    const known = this.#known.get(person);
    if (known) return known;
    const pseudonym = this.pseudonym(person);
    const stored = await this.#vault.personKey(
      pseudonym,
      seal(this.#keys.data, this.#random(32), pseudonym, this.#random),
    );
    if (stored === undefined) throw new SluiceError("store-unavailable", "the vault keeps no keys");
    const key = unseal(this.#keys.data, stored, pseudonym);
    if (this.#known.size >= most) this.#known.clear();
    this.#known.set(person, key);
    return key;
  }
}
