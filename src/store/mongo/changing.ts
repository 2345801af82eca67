// Moves a document by compare-and-swap: read it, decide, write it while nobody else has.
import type { Database, Keyed, Kind } from "./database.ts";

export interface Versioned extends Keyed {
  readonly _id: string;
  /** 1 at the first write, then one more each. */
  readonly rev: number;
}

export interface Changed<T> {
  /** As it stands now. */
  readonly document: T | undefined;
  /** This call wrote it. */
  readonly written: boolean;
}

/**
 * @param decide Answers the new content, or undefined to leave the document as it is. Called anew with what is there now
 *   each time that somebody else was quicker: of all who try at once one gets through, so it ends.
 */
export async function change<T extends Versioned>(
  database: Database,
  of: Kind<T>,
  id: string,
  decide: (now: T | undefined) => Omit<T, "_id" | "rev"> | undefined,
): Promise<Changed<T>> {
  for (;;) {
    const now = await database.get(of, id);
    const content = decide(now);
    if (content === undefined) return { document: now, written: false };
    const document = { ...content, _id: id, rev: (now?.rev ?? 0) + 1 } as T;
    const done = now ? await database.replace(of, document, now.rev) : await database.insert(of, document);
    if (done) return { document, written: true };
  }
}
