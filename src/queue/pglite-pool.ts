// A `pg.Pool`-shaped view over one embedded PGlite instance: as much of it as BullMQ's PostgreSQL back end uses. PGlite is
// one session and runs one statement at a time; BullMQ sends single statements only, so sharing the session is safe.
import { EventEmitter } from "node:events";
import type { PGlite } from "@electric-sql/pglite";

interface Answer {
  readonly rows: unknown[];
  readonly rowCount: number;
}

type AnswerOf<R> = Omit<Answer, "rows"> & { readonly rows: R[] };

/** Text without parameters may hold several statements and comments (BullMQ's LISTEN does), so it goes through `exec`. */
async function query<R>(db: PGlite, text: string, params?: readonly unknown[]): Promise<AnswerOf<R>> {
  const result = params?.length ? await db.query(text, [...params]) : (await db.exec(text)).at(-1);
  const rows = (result?.rows ?? []) as R[];
  return { rows, rowCount: result?.affectedRows || rows.length };
}

/** A "checked-out connection". All clients hear all notifications of the one session, whoever sent the LISTEN. */
export class PgliteClient extends EventEmitter {
  readonly #db: PGlite;
  readonly #forget: () => void;

  constructor(db: PGlite) {
    super();
    this.setMaxListeners(0);
    this.#db = db;
    this.#forget = db.onNotification((channel, payload) => this.emit("notification", { channel, payload }));
  }

  query<R>(text: string, params?: readonly unknown[]): Promise<AnswerOf<R>> {
    return query<R>(this.#db, text, params);
  }

  release(): void {
    this.#forget();
    this.removeAllListeners();
  }
}

/** Statements between two cleanings; a job takes four or five. */
const cleanEvery = 10_000;

/** PGlite has no autovacuum and no checkpointer, so the pool cleans up after so much work: else the files only grow. */
export class PglitePool extends EventEmitter {
  /** BullMQ reads this: there is no socket that could drop without anybody noticing. */
  readonly options = { keepAlive: true };
  readonly #db: PGlite;
  #statements = 0;
  #cleaning: Promise<void> | undefined;

  constructor(db: PGlite) {
    super();
    this.setMaxListeners(0);
    this.#db = db;
  }

  query<R>(text: string, params?: readonly unknown[]): Promise<AnswerOf<R>> {
    if ((this.#statements += 1) % cleanEvery === 0) this.#cleaning = this.#clean();
    return query<R>(this.#db, text, params);
  }

  /** Resolves when no cleaning is under way. */
  async quiet(): Promise<void> {
    await this.#cleaning;
  }

  async #clean(): Promise<void> {
    try {
      await this.#db.exec("VACUUM");
      await this.#db.exec("CHECKPOINT");
    } catch (error) {
      if (this.listenerCount("error") > 0) this.emit("error", error);
    }
  }

  connect(): Promise<PgliteClient> {
    return Promise.resolve(new PgliteClient(this.#db));
  }

  /** The instance belongs to the connection, which closes it. */
  end(): Promise<void> {
    return Promise.resolve();
  }
}
