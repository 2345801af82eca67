// Holds of the running product between two durable steps: an exchange that fits stands still until the test lets it go.
import type { PausePoint } from "../../src/exchange/gateway.ts";
import type { Row } from "../../src/exchange/ports.ts";

/** An exchange that stands still between two steps. */
export interface Held {
  /** Resolves when it has come to the point. */
  readonly row: Promise<Row>;
  release(): void;
}

interface Hold extends Held {
  readonly point: PausePoint;
  readonly wanted: (row: Row) => boolean;
  taken: boolean;
  readonly reach: (row: Row) => void;
  readonly released: Promise<undefined>;
}

export class Holds {
  readonly #rowOf: (exchange: string) => Promise<Row | undefined>;
  readonly #holds: Hold[] = [];

  constructor(rowOf: (exchange: string) => Promise<Row | undefined>) {
    this.#rowOf = rowOf;
  }

  /** Stops the next exchange that fits before the step after `point`. */
  hold(point: PausePoint, wanted: (row: Row) => boolean = () => true): Held {
    const reached = Promise.withResolvers<Row>();
    const released = Promise.withResolvers<undefined>();
    const hold: Hold = {
      point,
      wanted,
      taken: false,
      row: reached.promise,
      reach: reached.resolve,
      released: released.promise,
      release: () => {
        released.resolve(undefined);
      },
    };
    this.#holds.push(hold);
    return hold;
  }

  /** Called by the product at each of its points. */
  async pass(point: PausePoint, exchange: string): Promise<void> {
    const free = this.#holds.filter((hold) => hold.point === point && !hold.taken);
    if (free.length === 0) return;
    const row = await this.#rowOf(exchange);
    const hold = row && free.find((one) => !one.taken && one.wanted(row));
    if (!row || !hold) return;
    hold.taken = true;
    hold.reach(row);
    await hold.released;
  }

  releaseAll(): void {
    for (const hold of this.#holds) hold.release();
  }
}
