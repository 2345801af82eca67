// The embedded store: the ports of an exchange over one SQLite file, which a thread of its own owns.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../core/clock.ts";
import type { Clock } from "../../core/clock.ts";
import { SluiceError } from "../../core/errors.ts";
import type { AuditLog, Facts, Hold, Ledger, Links, MirroredStore, RowFilter, Store } from "../../exchange/ports.ts";
import { broken } from "./audit.ts";
import { Thread } from "./thread.ts";

export interface EmbeddedOptions {
  /** Made when it does not exist, mode 0700. Holds `sluice.sqlite`. */
  readonly directory: string;
  /** Caps the file at so many pages of 4096 bytes; beyond it writes answer `store-full`. */
  readonly maxPages?: number;
  /** Where the audit head is kept outside the database; default `<directory>/audit-head.json`. */
  readonly mirrorHeadTo?: string;
  /** Says since when a deferred row waits. */
  readonly clock?: Clock;
}

export interface EmbeddedLedger extends Ledger {
  /** At start, under the lock on the directory: frees every lane of earlier owners. Returns how many. */
  freeAll(): Promise<number>;
  /** Merging persons: rows for the held lane go to `to` from now on. False: hold lost, or `to` leads back here. */
  redirect(to: string, hold: Hold): Promise<boolean>;
}

export interface EmbeddedStore extends MirroredStore {
  readonly ledger: EmbeddedLedger;
}

/**
 * Opens the store. Every promise of it rejects with a SluiceError only: `store-full` (nothing was changed),
 * `store-unavailable` (closed, damaged, locked by another process for 5 s), `store-newer` (here only).
 */
export async function openEmbeddedStore(options: EmbeddedOptions): Promise<EmbeddedStore> {
  makeDirectory(options.directory);
  const mirrorPath = options.mirrorHeadTo ?? join(options.directory, "audit-head.json");
  const path = join(options.directory, "sluice.sqlite");
  const thread = await Thread.start({ path, mirrorTo: mirrorPath, maxPages: options.maxPages });
  return {
    ledger: ledgerOf(thread, options.clock ?? systemClock),
    audit: auditOf(thread),
    links: linksOf(thread),
    facts: factsOf(thread),
    ...registersOf(thread),
    mirrorPath,
    flush: () => thread.flush(),
    close: () => thread.close(),
  };
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch {
    throw new SluiceError("store-unavailable", "the data directory cannot be made", {
      hint: "check the path given with --data and the rights of its parent directory",
    });
  }
}

function ledgerOf(thread: Thread, clock: Clock): EmbeddedLedger {
  return {
    accept: (rows) => thread.call("accept", rows),
    peek: (lane) => thread.call("peek", lane),
    claim: (lane, seen) => thread.call("claimLane", lane, seen),
    renew: (hold) => thread.call("renew", hold),
    release: (hold) => thread.call("release", hold),
    freeAll: () => thread.call("freeAll"),
    redirect: (to, hold) => thread.call("redirect", to, hold),
    head: (hold) => thread.call("head", hold),
    move: (row, to, hold) => thread.call("move", row, to, hold),
    begin: (row, intent, entries, hold, bytes) => thread.call("begin", row, intent, entries, hold, bytes),
    unsend: (row, entries, hold) => thread.call("unsend", row, entries, hold),
    settle: (row, applied, hold) => thread.call("settle", row, applied, hold),
    defer: (row, wait, entries, hold) => thread.call("defer", row, { ...wait, at: clock.now() }, entries, hold),
    hasten: (lane, cause) => thread.call("hasten", lane, cause),
    quarantine: (row, cause, problem, entries, hold, attempt) =>
      thread.call("quarantine", row, cause, problem, entries, hold, attempt),
    finish: (row, end, entries, hold) => thread.call("finish", row, end, entries, hold),
    supersede: (row, at, hold) => thread.call("supersede", row, at, hold),
    due: (now, limit, skipChannels) => thread.call("due", now, limit, skipChannels),
    held: () => thread.call("held"),
    get: (row) => thread.call("row", row),
    find: (filter) => thread.call("find", filter),
    counts: () => thread.call("counts"),
    retry: (filter) => inPages(filter, (page) => thread.call("retry", page)),
    cancelWhere: (filter, cause, at) => inPages(filter, (page) => thread.call("cancelWhere", page, cause, at)),
    observation: (channel, source) => thread.call("observation", channel, source),
    observe: (channel, source, seen) => thread.call("observe", channel, source, seen),
  };
}

/** Many rows are changed some at a time, so that other requests are not held up; each page is one commit. */
async function inPages(filter: RowFilter, change: (page: RowFilter) => Promise<number>): Promise<number> {
  const most = filter.limit ?? Infinity;
  for (let changed = 0; ;) {
    const limit = Math.min(500, most - changed);
    const count = limit > 0 ? await change({ ...filter, limit }) : 0;
    changed += count;
    if (count < limit || limit <= 0) return changed;
  }
}

function auditOf(thread: Thread): AuditLog {
  return {
    append: (entries) => thread.call("auditAppend", entries),
    has: (key) => thread.call("auditHas", key),
    read: (from) => readAudit(thread, from),
    head: () => thread.call("auditHead"),
  };
}

/** Throws `audit-broken` at a row that is not as it was written. Without `from` even rows with impossible numbers are met. */
async function* readAudit(thread: Thread, from: number | undefined): ReturnType<AuditLog["read"]> {
  let after = from === undefined ? undefined : from - 1;
  for (let more = true; more;) {
    const page = await thread.call("auditPage", after);
    yield* page.batches;
    if (page.broken !== undefined) throw broken(page.broken);
    after = page.batches.at(-1)?.n ?? after;
    more = page.more;
  }
}

function linksOf(thread: Thread): Links {
  return {
    pairOf: (record, other) => thread.call("pairOf", record, other),
    get: (id) => thread.call("link", id),
    personOf: (record) => thread.call("personOf", record),
    recordsOf: (person) => thread.call("recordsOf", person),
    claim: (records, person) => thread.call("claimRecords", records, person),
    put: (link, at) => thread.call("putLink", link, at),
    history: (id) => thread.call("linkHistory", id),
  };
}

function factsOf(thread: Thread): Facts {
  return {
    putConsent: (fact) => thread.call("putConsent", fact),
    consentsOf: (subjects) => thread.call("consentsOf", subjects),
    consent: (system, id) => thread.call("consent", system, id),
    all: () => allConsents(thread),
  };
}

async function* allConsents(thread: Thread): ReturnType<Facts["all"]> {
  const limit = 500;
  for (let after = { system: "", id: "" }; ;) {
    const page = await thread.call("consentPage", after, limit);
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < limit) return;
    after = { system: last.system, id: last.id };
  }
}

type SmallPorts = Pick<Store, "cursors" | "systems" | "versions" | "changes" | "registers" | "blobs" | "vault">;

function registersOf(thread: Thread): SmallPorts {
  return {
    cursors: {
      get: (name) => thread.call("cursor", name),
      move: (name, to, hold) => thread.call("moveCursor", name, to, hold),
    },
    systems: {
      get: (system) => thread.call("system", system),
      bind: (system, identity) => thread.call("bind", system, identity),
      pause: (system, since, cause, fix) => thread.call("pause", system, since, cause, fix),
      resume: (system) => thread.call("resume", system),
    },
    versions: {
      activate: (hash, configuration, at, reason) => thread.call("activate", hash, configuration, at, reason),
      current: () => thread.call("currentVersion"),
      get: (hash) => thread.call("configuration", hash),
      decidedUnder: (channel) => thread.call("decidedUnder", channel),
      setDecidedUnder: (channel, version) => thread.call("setDecidedUnder", channel, version),
    },
    changes: {
      head: () => thread.call("changesHead"),
      since: (n, limit) => thread.call("changesSince", n, limit),
    },
    registers: {
      get: (name) => thread.call("register", name),
      move: (name, seen, value, options) => thread.call("moveRegister", name, seen, value, options),
      list: (prefix) => thread.call("listRegisters", prefix),
    },
    blobs: {
      put: (id, sealed) => thread.call("putBlob", id, sealed),
      get: (id) => thread.call("blob", id),
      erase: (id) => thread.call("eraseBlob", id),
    },
    vault: {
      personKey: (person, make) => thread.call("personKey", person, make),
      pseudonym: (recipient, record, make) => thread.call("pseudonym", recipient, record, make),
    },
  };
}
