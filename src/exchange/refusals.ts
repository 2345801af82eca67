// Refusals of callers who did not prove who they are: counted, and put on record as one aggregate entry a minute and
// reason, so that junk cannot fill the log.
import { instant } from "../core/clock.ts";
import { newId } from "../core/ids.ts";
import type { Gateway } from "./gateway.ts";
import { entryFor } from "./on-record.ts";

/** More different reasons than this in one minute are counted as `other`. */
const mostReasons = 50;

export class Refusals {
  readonly #gateway: Gateway;
  #counts = new Map<string, number>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** @param reason A code; never anything that the caller sent. */
  count(reason: string): void {
    const key = this.#counts.has(reason) || this.#counts.size < mostReasons ? reason : "other";
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Called once a minute and at shutdown. */
  async flush(): Promise<void> {
    const counts = this.#counts;
    if (counts.size === 0) return;
    this.#counts = new Map();
    const at = instant(this.#gateway.clock.now());
    const entries = await Promise.all(
      [...counts].map(([reason, count]) => {
        const header = {
          v: 1,
          kind: "denial",
          at,
          actor: "sluice",
          cause: reason,
          reason: `${count} refused`,
        } as const;
        return entryFor(this.#gateway, `refusals.${newId(this.#gateway.random)}`, header, undefined, undefined);
      }),
    );
    try {
      await this.#gateway.store.audit.append(entries);
    } catch (error) {
      for (const [reason, count] of counts) this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + count);
      throw error;
    }
  }
}
