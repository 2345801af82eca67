// Notices of the sandbox org: when a user changes a record, a small signed message names it (Standard Webhooks). It carries
// no field of the record; whoever gets it reads the record.
import { Webhook } from "standardwebhooks";
import { newId, type Random } from "../../../src/core/ids.ts";

export interface NoticeTarget {
  /** Where notices are posted. */
  readonly url: string;
  /** `whsec_` and the base64 of the shared key. */
  readonly secret: string;
}

export interface Notice {
  readonly type: string;
  readonly id: string;
  readonly event: "change" | "delete";
}

export class Notices {
  readonly #now: () => number;
  readonly #random: Random;
  readonly #pending = new Set<Promise<void>>();
  target: NoticeTarget | undefined;

  constructor(target: NoticeTarget | undefined, now: () => number, random: Random) {
    this.target = target;
    this.#now = now;
    this.#random = random;
  }

  /** Sent in the background and once only: a lost notice is made up for by the next poll. */
  send(notice: Notice): void {
    const { target } = this;
    if (!target) return;
    const sending = this.#post(target, notice)
      .catch(() => undefined)
      .finally(() => this.#pending.delete(sending));
    this.#pending.add(sending);
  }

  /** Resolves when all notices so far were answered or failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #post(target: NoticeTarget, notice: Notice): Promise<void> {
    const id = `msg_${newId(this.#random)}`;
    const at = new Date(Math.floor(this.#now() / 1000) * 1000);
    const body = JSON.stringify(notice);
    await fetch(target.url, {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(at.getTime() / 1000),
        "webhook-signature": new Webhook(target.secret).sign(id, at, body),
      },
      signal: AbortSignal.timeout(10_000),
    });
  }
}
