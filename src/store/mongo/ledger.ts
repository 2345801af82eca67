// The ledger over MongoDB. Where SQLite makes one transaction, single writes follow each other here in an order in which each
// may be the last before a crash (ARCHITECTURE, MongoDB without transactions): audit entries before the state that they are
// about, except in `begin`, where a row in `sending` without its entry says that nothing was sent.
import type { Clock } from "../../core/clock.ts";
import { SluiceError } from "../../core/errors.ts";
import { endedStates, openStates, refKey } from "../../core/records.ts";
import type { AuditLog, Blobs, Hold, Ledger, Row } from "../../exchange/ports.ts";
import { kind, number, text, type Database, type Keyed } from "./database.ts";
import { acceptRows } from "./ledger/accept.ts";
import { canGather, dissolve, dissolves, freed, gather, headFields } from "./ledger/batches.ts";
import { Commands } from "./ledger/commands.ts";
import { DueLanes } from "./ledger/due.ts";
import { countRows, findRows } from "./ledger/find.ts";
import { HeldRows } from "./ledger/held-rows.ts";
import { laneKind } from "./ledger/lane-document.ts";
import { Lanes } from "./ledger/lanes.ts";
import { readRow, rowKind, type RowDocument } from "./ledger/row-document.ts";

interface ObservationDocument extends Keyed {
  readonly _id: string;
  readonly n: number;
  readonly hash: string;
}

export const observationKind = kind<ObservationDocument>("observations", { _id: text, n: number, hash: text });
export const observationKey = (channel: string, source: Row["source"]): string => `${channel} ${refKey(source)}`;

export const ledgerKinds = [rowKind, laneKind, observationKind];

type Writes = Pick<
  Ledger,
  "head" | "move" | "begin" | "unsend" | "settle" | "defer" | "hasten" | "quarantine" | "finish" | "supersede"
>;

export function ledgerOf(database: Database, audit: AuditLog, blobs: Blobs, clock: Clock): Ledger {
  const lanes = new Lanes(database);
  const due = new DueLanes(database, lanes);
  const commands = new Commands(database, lanes, blobs);
  return {
    accept: (rows) => acceptRows(database, lanes, rows),
    peek: (lane) => lanes.peek(lane),
    claim: (lane, seen) => lanes.claim(lane, seen),
    renew: (hold) => lanes.renew(hold),
    release: (hold) => lanes.release(hold),
    ...writesOf(database, lanes, audit, blobs, clock),
    due: (now, limit, skipChannels = []) => due.due(now, limit, skipChannels),
    held: () => lanes.held(),
    get: async (id) => {
      const row = await database.get(rowKind, id);
      return row && readRow(row);
    },
    find: (filter) => findRows(database, filter),
    counts: () => countRows(database),
    retry: (filter) => commands.retry(filter),
    cancelWhere: (filter, cause, at) => commands.cancelWhere(filter, cause, at),
    observation: async (channel, source) => {
      const seen = await database.get(observationKind, observationKey(channel, source));
      return seen && { n: seen.n, hash: seen.hash };
    },
    observe: async (channel, source, { n, hash }) => {
      const _id = observationKey(channel, source);
      const set = (): Promise<{ matchedCount: number }> =>
        database.model(observationKind).updateOne({ _id }, { $set: { n, hash } });
      if ((await set()).matchedCount === 0 && !(await database.insert(observationKind, { _id, n, hash }))) await set();
    },
  };
}

function writesOf(database: Database, lanes: Lanes, audit: AuditLog, blobs: Blobs, clock: Clock): Writes {
  const rows = new HeldRows(database, lanes);
  const put = async (entries: Parameters<AuditLog["append"]>[0]): Promise<void> => {
    if (entries.length > 0) await audit.append(entries);
  };

  /** The last place of a lane. Fence 0: its holders count their own. */
  async function placeIn(to: string): Promise<Pick<RowDocument, "lane" | "seq" | "fence">> {
    const lane = await lanes.endOf(to);
    return { lane, seq: await lanes.places(lane, 1), fence: 0 };
  }

  async function place(id: string, to: string, hold: Hold): Promise<boolean> {
    const set = await placeIn(to);
    const { lane } = set;
    const everyState = [...openStates, ...endedStates, "quarantined"] as const;
    const before = await rows.mine(id, hold, everyState);
    if (!before || !(await rows.change(id, hold, { states: everyState }, { set }))) return false;
    const { acceptedAt, channel, priority, open } = before;
    if (open) await lanes.hintNew([{ lane, acceptedAt, channel, priority }]);
    return true;
  }

  return {
    head: async (hold) => {
      const head = await rows.head(hold);
      const free = head && (await freed(database, rows, head, hold));
      return free && readRow(free);
    },
    move: (id, to, hold) => place(id, to, hold),

    begin: async (id, intent, entries, hold, bytes) => {
      const { members, blob, n } = intent;
      const again = intent.again === true;
      if (members && !again && !(await canGather(database, id, members, hold))) return false;
      // Before the row is touched: whoever has the lane now is told by the beat that this holder is alive.
      if (!(await lanes.renew(hold))) return false;
      if (blob !== undefined && bytes !== undefined) await blobs.put(blob, bytes);
      const set: Partial<RowDocument> = {
        state: "sending",
        open: true,
        intent: JSON.stringify(intent),
        attempt: n,
        waitingSince: 0,
        ...(blob !== undefined && { blob }),
        ...(members && { batch: id }),
      };
      const when = { states: ["queued", "sending"], attemptUpTo: n } as const;
      if (!(await rows.change(id, hold, when, { set, unset: ["cause"] }))) return false;
      const marked = members ? await gather(rows, id, members, again, hold) : 0;
      // Of a batch that is repeated, members may have ended meanwhile.
      if (members && !again && marked !== new Set(members).size - 1) {
        await undoBegin(id, hold);
        return false;
      }
      await put(entries);
      return true;
    },

    unsend: async (id, entries, hold) => {
      const row = await rows.mine(id, hold, ["sending"]);
      if (!row) return false;
      await put(entries);
      const unset = dissolves(row) ? headFields : [];
      if (!(await rows.change(id, hold, { states: ["sending"] }, { set: { state: "queued" }, unset }))) return false;
      if (dissolves(row)) await dissolve(rows, blobs, row, hold);
      return true;
    },

    settle: (id, applied, hold) =>
      rows.change(id, hold, { states: ["sending"] }, { set: { state: "applied", applied: JSON.stringify(applied) } }),

    defer: async (id, { next, cause, failed, waiting }, entries, hold) => {
      const row = await rows.mine(id, hold, openStates);
      if (!row) return false;
      await put(entries);
      const since = waiting ? row.waitingSince || clock.now() : 0;
      return rows.change(
        id,
        hold,
        { states: openStates },
        { set: { next, cause, waitingSince: since }, inc: { failures: failed ? 1 : 0 } },
      );
    },

    hasten: async (lane, cause) => {
      const condition = { lane, state: "queued", cause, next: { $gt: 0 } } as const;
      const update = { $set: { next: 0 }, $inc: { rev: 1 } };
      const { modifiedCount } = await database.model(rowKind).updateMany(condition, update);
      const head = modifiedCount > 0 ? await lanes.head(lane) : undefined;
      if (head) await lanes.hintDue([{ lane, since: head.acceptedAt, live: head.priority === "live" }]);
      return modifiedCount;
    },

    quarantine: async (id, cause, problem, entries, hold, attempt) => {
      const row = await rows.mine(id, hold, openStates);
      if (!row) return false;
      await put(entries);
      const set: Partial<RowDocument> = {
        state: "quarantined",
        open: false,
        cause,
        group: problem.group,
        problem: JSON.stringify(problem),
        next: 0,
        waitingSince: 0,
      };
      const ends = attempt === "not-applied" && dissolves(row);
      const unset = ends ? headFields : [];
      if (!(await rows.change(id, hold, { states: openStates }, { set, unset }))) return false;
      if (row.batch !== undefined) await rows.changeAll({ batch: row.batch, open: true }, hold, { set });
      if (ends) await dissolve(rows, blobs, row, hold);
      return true;
    },

    finish: async (id, end, entries, hold) => {
      if (!endedStates.includes(end.state)) throw new SluiceError("internal", `a row cannot end as ${end.state}`);
      const row = await rows.mine(id, hold, openStates);
      if (!row) return false;
      await put(entries);
      // Of an applied row nobody needs the bytes any more: erased before its end, so that no crash leaves them behind.
      if (row.blob !== undefined && row.state === "applied") await blobs.erase(row.blob);
      // One write with its end: whoever looks for denied rows in that lane must find it, whatever happens after this.
      const { set, unset } = endedUpdate(end);
      const there = end.lane === undefined ? {} : await placeIn(end.lane);
      if (!(await rows.change(id, hold, { states: openStates }, { set: { ...set, ...there }, unset }))) return false;
      if (row.blob !== undefined && row.state !== "applied") await blobs.erase(row.blob);
      return true;
    },

    supersede: async (row, at, hold) => {
      const own = await database.get(rowKind, row.id);
      if (!own || own.lane !== hold.lane || !(await lanes.stands(hold))) return 0;
      const { system, type, id } = row.source;
      const older = {
        "source.id": id,
        "source.system": system,
        "source.type": type,
        channel: row.channel,
        seq: { $lt: own.seq },
        state: { $in: ["queued", "quarantined"] },
        batch: { $exists: false },
      };
      return rows.changeAll(older, hold, endedUpdate({ state: "superseded", cause: undefined, at }));
    },
  };

  /** A member was cancelled between the look and the mark: the batch was not made, nothing of it was sent. */
  async function undoBegin(id: string, hold: Hold): Promise<void> {
    const head = await rows.mine(id, hold, ["sending"]);
    if (!head) return;
    await rows.change(id, hold, { states: ["sending"] }, { set: { state: "queued" }, unset: headFields });
    await dissolve(rows, blobs, head, hold);
  }
}

function endedUpdate(end: Pick<Parameters<Ledger["finish"]>[1], "state" | "cause" | "at">) {
  const unset: (keyof RowDocument)[] = ["blob", "batch", "group", "problem"];
  const set: Partial<RowDocument> = { state: end.state, open: false, endedAt: end.at, next: 0, waitingSince: 0 };
  if (end.cause === undefined) return { set, unset: [...unset, "cause" as const] };
  return { set: { ...set, cause: end.cause }, unset };
}
