// The small registers in MongoDB: states moved by compare-and-swap, systems, and cursors.
import { canonicalJson, parseJson } from "../../core/json.ts";
import type { Cursors, Ledger, Registers, Systems, SystemState } from "../../exchange/ports.ts";
import { owesField, owesIndex, type Announced, type Announcements } from "./announcing.ts";
import { change, type Versioned } from "./changing.ts";
import { kind, number, part, text, type Database } from "./database.ts";

interface RegisterDocument extends Announced {
  readonly value: string;
}

export const registerKind = kind<RegisterDocument>("registers", { _id: text, rev: number, value: text, ...owesField }, [
  owesIndex,
]);

export function registersOf(database: Database, announcements: Announcements): Registers {
  return {
    get: async (name) => {
      const document = await database.get(registerKind, name);
      return document && { version: document.rev, value: document.value };
    },
    move: async (name, seen, value, options = {}) => {
      let moved = false;
      await announcements.change(registerKind, "register", name, options.announce ? name : undefined, (now) => {
        moved = (now?.rev ?? 0) === seen;
        return moved ? { value } : undefined;
      });
      return moved;
    },
    list: async (prefix) => {
      const beyond = `${prefix}\u{10ffff}`;
      const query = database.model(registerKind).find({ _id: { $gte: prefix, $lt: beyond } });
      const documents = await query.sort({ _id: 1 }).lean<RegisterDocument[]>();
      return documents.map(({ _id: name, rev: version, value }) => ({ name, version, value }));
    },
  };
}

type Paused = NonNullable<SystemState["paused"]>;

interface SystemDocument extends Announced {
  /** Canonical JSON. */
  readonly identity?: string;
  readonly paused?: Paused;
}

export const systemKind = kind<SystemDocument>(
  "systems",
  {
    _id: text,
    rev: number,
    identity: String,
    paused: { type: part<Paused>({ since: number, cause: text, fix: text }) },
    ...owesField,
  },
  [owesIndex],
);

export function systemsOf(database: Database, announcements: Announcements): Systems {
  return {
    get: async (id) => {
      const document = await database.get(systemKind, id);
      const { identity, paused } = document ?? {};
      return {
        identity: identity === undefined ? undefined : (parseJson(identity) as Readonly<Record<string, string>>),
        paused: paused && { since: paused.since, cause: paused.cause, fix: paused.fix },
      };
    },
    bind: async (id, identity) => {
      const asked = canonicalJson(identity);
      const { document } = await change<SystemDocument>(database, systemKind, id, (now) =>
        now?.identity === undefined ? { ...contentOf(now), identity: asked } : undefined,
      );
      return document?.identity === asked;
    },
    pause: (id, since, cause, fix) =>
      announcements.change(systemKind, "system", id, id, (now) =>
        now?.paused ? undefined : { ...contentOf(now), paused: { since, cause, fix } },
      ),
    resume: (id) =>
      announcements.change(systemKind, "system", id, id, (now) => {
        if (!now?.paused) return undefined;
        const { paused: _, ...rest } = contentOf(now);
        return rest;
      }),
  };
}

function contentOf(document: SystemDocument | undefined): Omit<SystemDocument, "_id" | "rev"> {
  if (!document) return {};
  const { _id, rev, ...content } = document;
  return content;
}

interface CursorDocument extends Versioned {
  readonly value: string;
  readonly goodAt: number;
  /** Of the hold under which it was moved last. */
  readonly fence: number;
}

export const cursorKind = kind<CursorDocument>("cursors", {
  _id: text,
  rev: number,
  value: text,
  goodAt: number,
  fence: number,
});

export const registerKinds = [registerKind, systemKind, cursorKind];

/**
 * A cursor moves while its lane is held under the fence, and never under a lower fence than before. A holder who loses the
 * lane between the two looks may still move it: what he read is accepted by then, and his successor has not moved it yet.
 */
export function cursorsOf(database: Database, peek: Ledger["peek"]): Cursors {
  return {
    get: async (name) => {
      const document = await database.get(cursorKind, name);
      return document && { value: document.value, goodAt: document.goodAt };
    },
    move: async (name, { value, goodAt }, hold) => {
      const lane = await peek(hold.lane);
      if (!lane || lane.free || lane.fence !== hold.fence) return false;
      const { written } = await change<CursorDocument>(database, cursorKind, name, (now) =>
        now && now.fence > hold.fence ? undefined : { value, goodAt, fence: hold.fence },
      );
      return written;
    },
  };
}
