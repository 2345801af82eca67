// The ports that an exchange talks to: verbs, not generic CRUD, so that SQLite does each in one
// transaction and MongoDB in one or two single-document writes. Each implementation passes `test/contract`.
import type { AuditBatch, AuditEntry, AuditHead } from "../audit/entry.ts";
import type { BrakeKind } from "../core/configuration.ts";
import type { NoticeKind, Owner, RecordRef, RowState } from "../core/records.ts";

export type Priority = "live" | "backfill";

/** A notice as accepted: "this record changed, look". */
export interface NewRow {
  /** HMAC(channel, system, type, record, kind, mark): accepting it twice is accepting it once. */
  readonly id: string;
  readonly lane: string;
  readonly channel: string;
  readonly source: RecordRef;
  readonly kind: NoticeKind;
  readonly mark: string;
  readonly priority: Priority;
  readonly acceptedAt: number;
  /** Configuration hash at queueing. */
  readonly configuration: string;
}

export interface Intent {
  /** Attempt number. */
  readonly n: number;
  readonly operation: "create" | "update" | "deliver";
  readonly target: { readonly system: string; readonly type: string; readonly id: string | undefined };
  readonly linkId: string;
  readonly expectedVersion: string | undefined;
  /** SHA-256 of what is sent, under the id key. */
  readonly contentHash: string;
  /** Wall time of `begin`, by this process. */
  readonly at: number;
  /** What the channel's brake has counted this row for: a row counts once, however often it is tried. */
  readonly braked?: readonly BrakeKind[];
  /** What the link will hold once this attempt is applied, so that a crash after the answer can still write it. */
  readonly link: Pick<Link, "person" | "kind" | "records" | "base" | "versions"> | undefined;
  /** Feeds: the rows of the batch, this one included, and the blob that holds its bytes. */
  readonly members?: readonly string[];
  readonly blob?: string;
  /** Feeds: an attempt before this one may have been applied, so these bytes are sent again, whatever becomes of this one. */
  readonly again?: true;
}

export interface Row extends NewRow {
  /** Order within the lane; gaps are legal. */
  readonly seq: number;
  readonly state: RowState;
  /** Not before this wall time; 0 = now. */
  readonly next: number;
  /** Last attempt number given out (every run that reached `begin`, and denials). */
  readonly attempt: number;
  /** Failures that count towards the cap. */
  readonly failures: number;
  /** Since when this row has been waiting for want of an answer (no attempt counted); 0 = it is not. */
  readonly waitingSince: number;
  readonly intent: Intent | undefined;
  readonly applied: { readonly n: number; readonly id: string; readonly version: string | undefined } | undefined;
  /** Why it waits, ended or is in quarantine: a stable cause code. */
  readonly cause: string | undefined;
  readonly problem: Problem | undefined;
  readonly endedAt: number;
  /** Id of the blob with what must wait and cannot be read again; erased at the end. */
  readonly blob: string | undefined;
  /**
   * Feeds: the row at the head of the batch that this one travels in, itself included; from `begin` until that attempt
   * certainly was not applied, or the row has ended.
   */
  readonly batch?: string;
}

/** A quarantine item's words: no PHI; items with the same `group` are one item with members. */
export interface Problem {
  readonly group: string;
  readonly owner: Owner;
  /** What is wrong, one sentence. */
  readonly text: string;
  /** The exact fix. */
  readonly fix: string;
}

/** What the holder of a lane proves with every write. */
export interface Hold {
  readonly lane: string;
  readonly fence: number;
}

export interface LaneState {
  readonly lane: string;
  readonly fence: number;
  readonly beat: number;
  readonly free: boolean;
  readonly movedTo: string | undefined;
}

export interface RowFilter {
  readonly id?: string;
  readonly states?: readonly RowState[];
  readonly channel?: string;
  readonly source?: Partial<RecordRef>;
  readonly lane?: string;
  readonly group?: string;
  /** `next` in the past and open. */
  readonly dueBefore?: number;
  readonly limit?: number;
  /** Rows after this one in (acceptedAt, id) order. */
  readonly after?: { readonly acceptedAt: number; readonly id: string };
  readonly newestFirst?: boolean;
}

/** Every write that takes a Hold answers false, and changes nothing, when the lane's fence has moved on. */
export interface Ledger {
  /** `known`: the id is there already (also when ended). Follows `movedTo`. Resolves when durable. */
  accept(rows: readonly NewRow[]): Promise<readonly ("accepted" | "known")[]>;
  /** The lane as it stands; undefined when it does not exist. */
  peek(lane: string): Promise<LaneState | undefined>;
  /**
   * Compare-and-swap on (fence, beat): takes the lane with fence + 1; undefined = somebody else moved it. A lane that does
   * not exist yet is made by insert, and taken, with seen = (0, 0).
   */
  claim(lane: string, seen: { readonly fence: number; readonly beat: number }): Promise<Hold | undefined>;
  renew(hold: Hold): Promise<boolean>;
  release(hold: Hold): Promise<boolean>;
  /** Lowest open row (queued, sending, applied) of the lane, due or not; stamps the fence on it. */
  head(hold: Hold): Promise<Row | undefined>;
  /** Puts the row, open or ended, at the end of another lane; `next` and state stay. */
  move(row: string, to: string, hold: Hold): Promise<boolean>;
  /**
   * queued or sending → sending with the intent (attempt = intent.n), the lane renewed, and the audit entries, in one durable
   * step. A batch: its members are marked with this row and given their next attempt, and `bytes`, sealed, are kept under
   * `intent.blob`; false also when a member of a new batch is no longer queued.
   */
  begin(row: string, intent: Intent, entries: readonly AuditEntry[], hold: Hold, bytes?: string): Promise<boolean>;
  /**
   * sending → queued when the request certainly was not applied, with the entries that say so, in one durable step. A batch
   * is forgotten with its bytes, unless `intent.again`.
   */
  unsend(row: string, entries: readonly AuditEntry[], hold: Hold): Promise<boolean>;
  /** sending → applied. */
  settle(row: string, applied: NonNullable<Row["applied"]>, hold: Hold): Promise<boolean>;
  /** Leaves the state; sets `next`, `cause`; `failed` adds one to failures; `waiting` sets waitingSince if it was 0. */
  defer(
    row: string,
    wait: { readonly next: number; readonly cause: string; readonly failed: boolean; readonly waiting: boolean },
    entries: readonly AuditEntry[],
    hold: Hold,
  ): Promise<boolean>;
  /**
   * Takes all open rows of the row's batch along. `attempt`: the last one certainly was not applied, a batch is forgotten as
   * by `unsend`.
   */
  quarantine(
    row: string,
    cause: string,
    problem: Problem,
    entries: readonly AuditEntry[],
    hold: Hold,
    attempt?: "not-applied",
  ): Promise<boolean>;
  /** Ends the row in an ended state, with the audit entries; endedAt = `at`; forgets its blob. `lane`: it is kept there. */
  finish(
    row: string,
    end: { readonly state: RowState; readonly cause: string | undefined; readonly at: number; readonly lane?: string },
    entries: readonly AuditEntry[],
    hold: Hold,
  ): Promise<boolean>;
  /** Rows of the lane that wait for `cause` are due at once. Returns how many. */
  hasten(lane: string, cause: string): Promise<number>;
  /** Ends as `superseded` every other queued or quarantined row of the same channel and record with a lower seq, batches apart. */
  supersede(row: Row, at: number, hold: Hold): Promise<number>;
  /**
   * Free lanes whose head is due, live before backfill, at most `limit`; lanes whose head is of a channel in
   * `skipChannels` (a paused system) are left out.
   */
  due(now: number, limit: number, skipChannels?: readonly string[]): Promise<readonly string[]>;
  /** Lanes that are held, for the reclaim watch. */
  held(): Promise<readonly LaneState[]>;
  get(row: string): Promise<Row | undefined>;
  find(filter: RowFilter): Promise<readonly Row[]>;
  /** Counts by channel, state and cause (of quarantine: the group). */
  counts(): Promise<
    readonly {
      readonly channel: string;
      readonly state: RowState;
      readonly cause: string | undefined;
      readonly count: number;
    }[]
  >;
  /** quarantined → queued (a person's retry), attempt kept, failures 0; batches as a whole. Rows in other states are left. Returns how many. */
  retry(filter: RowFilter, at: number): Promise<number>;
  /** queued or quarantined → cancelled; batches as a whole, and not while they are being sent. Returns how many. */
  cancelWhere(filter: RowFilter, cause: string, at: number): Promise<number>;
  /** The observation of a record whose system has only time stamps: they make its mark. */
  observation(channel: string, source: RecordRef): Promise<{ readonly n: number; readonly hash: string } | undefined>;
  observe(channel: string, source: RecordRef, seen: { readonly n: number; readonly hash: string }): Promise<void>;
}

export interface AuditLog {
  /** Resolves when durable. */
  append(entries: readonly AuditEntry[]): Promise<void>;
  has(key: string): Promise<boolean>;
  /** Batches in order from `n`, read in pages. */
  read(from?: number): AsyncIterable<AuditBatch>;
  head(): Promise<AuditHead>;
}

/** One pair of records in two systems. */
export interface Link {
  /** Random; also written into the created record. */
  readonly id: string;
  readonly person: string;
  readonly kind: "person" | "visit";
  readonly records: readonly RecordRef[];
  /** For each mapped field the HMAC of its normalised value, as both sides last agreed. */
  readonly base: Readonly<Record<string, string>>;
  /** Version and change time of each side at the last settle, by system id. */
  readonly versions: Readonly<Record<string, string>>;
  readonly fence: number;
  readonly seq: number;
}

export interface Links {
  /** The link between this record and one of the system `other`. A record has at most one a system. */
  pairOf(record: RecordRef, other: string): Promise<Link | undefined>;
  get(id: string): Promise<Link | undefined>;
  /** Whose record it is, by claim or by link. */
  personOf(record: RecordRef): Promise<string | undefined>;
  /** All records known for a person, by claim or by link. */
  recordsOf(person: string): Promise<readonly RecordRef[]>;
  /**
   * Claims each record for `person`, by insert, smallest key first; a record that is somebody's already wins and its
   * person is adopted for the rest. Answers the person who holds them all, or `conflict` with the persons found.
   */
  claim(
    records: readonly RecordRef[],
    person: string,
  ): Promise<{ readonly person: string } | { readonly conflict: readonly string[] }>;
  /** Makes or replaces the link; of two writers the one with the higher (fence, seq) wins. False = lost. */
  put(link: Link, at: number): Promise<boolean>;
  history(id: string): Promise<readonly (Link & { readonly at: number })[]>;
}

/** One FHIR Consent as a source gave it, encrypted. */
export interface ConsentFact {
  readonly system: string;
  readonly id: string;
  readonly version: string;
  /** The patient record that the consent is about. */
  readonly subject: RecordRef;
  /** AES-256-GCM under the data key, base64. */
  readonly sealed: string;
  /** Removed at the source: kept as a tombstone. */
  readonly gone: boolean;
}

export interface Facts {
  /** False when the same version is there already. */
  putConsent(fact: ConsentFact): Promise<boolean>;
  consentsOf(subjects: readonly RecordRef[]): Promise<readonly ConsentFact[]>;
  consent(system: string, id: string): Promise<ConsentFact | undefined>;
  all(): AsyncIterable<ConsentFact>;
}

export interface CursorState {
  readonly value: string;
  /** Wall time of the last poll that ended well, this process's clock. */
  readonly goodAt: number;
}

export interface Cursors {
  get(name: string): Promise<CursorState | undefined>;
  /** Moves if the hold of the poll lane still stands. */
  move(name: string, to: CursorState, hold: Hold): Promise<boolean>;
}

export interface SystemState {
  readonly identity: Readonly<Record<string, string>> | undefined;
  readonly paused: { readonly since: number; readonly cause: string; readonly fix: string } | undefined;
}

export interface Systems {
  get(system: string): Promise<SystemState>;
  /** Binds on first sight; false = another identity is bound. */
  bind(system: string, identity: Readonly<Record<string, string>>): Promise<boolean>;
  /** True when this call paused it (only the first of many). */
  pause(system: string, since: number, cause: string, fix: string): Promise<boolean>;
  resume(system: string): Promise<boolean>;
}

export interface Versions {
  /** Stores a configuration (JSON without secrets) under its hash and makes it current. */
  activate(hash: string, configuration: string, at: number, reason: string): Promise<void>;
  current(): Promise<string | undefined>;
  get(hash: string): Promise<string | undefined>;
  /** What the channel's notices were last decided under: configuration and agreements of that day. */
  decidedUnder(channel: string): Promise<string | undefined>;
  setDecidedUnder(channel: string, version: string): Promise<void>;
}

/** Something that processes keep in memory and one of them has changed. */
export interface Change {
  /** Consecutive, without a gap: who has read up to n has missed nothing. */
  readonly n: number;
  /** `consent`: ref = `SYSTEM/ID`; `system`: paused or resumed; `configuration`: ref = hash; `register`: ref = its name. */
  readonly kind: "consent" | "system" | "configuration" | "register";
  readonly ref: string;
}

/**
 * Written by the verbs that change such a thing (putConsent, pause, resume, activate, an announced register), after the
 * change is durable and before they answer.
 */
export interface Changes {
  /** Number of the newest change; 0 = there is none. */
  head(): Promise<number>;
  /** Changes after `n`, in order, at most `limit`. */
  since(n: number, limit: number): Promise<readonly Change[]>;
}

export interface Registered {
  /** 1 at the first write, then one more each. */
  readonly version: number;
  /** JSON. */
  readonly value: string;
}

/** Small states that several processes move by compare-and-swap: a system's budget, a channel's brake. No PHI. */
export interface Registers {
  get(name: string): Promise<Registered | undefined>;
  /** False when the version is no longer `seen` (0 = not there yet). `announce`: other processes are told of it. */
  move(name: string, seen: number, value: string, options?: { readonly announce?: boolean }): Promise<boolean>;
  /** Of all registers whose name begins so, in the order of their names. */
  list(prefix: string): Promise<readonly (Registered & { readonly name: string })[]>;
}

export interface Blobs {
  /** Encrypts nothing itself: callers give sealed bytes. */
  put(id: string, sealed: string): Promise<void>;
  get(id: string): Promise<string | undefined>;
  erase(id: string): Promise<void>;
}

/** Random pseudonyms of de-identified feeds and per-person data keys, wrapped. */
export interface Vault {
  /** The wrapped key of a person; `make`, if given, is stored when there is none; answers what is stored. */
  personKey(person: string, make?: string): Promise<string | undefined>;
  /** The pseudonym of a record for one recipient; `make` is stored when there is none. 45 CFR 164.514(c). */
  pseudonym(recipient: string, record: string, make: string): Promise<string>;
}

export interface QueueStats {
  readonly waiting: number;
  readonly active: number;
}

export interface Queue {
  /** A wake-up; its data is never trusted, losing it loses nothing. */
  wake(lane: string): Promise<void>;
  /** Starts consuming; `run` never throws. */
  onWake(run: (lane: string) => Promise<void>, concurrency: number): Promise<void>;
  /** False: takes no further wake-ups, so that other processes get them; what runs goes on. True: takes them again. */
  consume(on: boolean): Promise<void>;
  stats(): Promise<QueueStats>;
  close(): Promise<void>;
}

/** A store that keeps the head of its audit log outside itself too. */
export interface MirroredStore extends Store {
  /** The file that the head is mirrored to. */
  readonly mirrorPath: string;
  /** What happens each second and at close: mirrors the head, and erases for good what was erased. */
  flush(): Promise<void>;
}

/** Everything a store implementation offers. */
export interface Store {
  readonly ledger: Ledger;
  readonly audit: AuditLog;
  readonly links: Links;
  readonly facts: Facts;
  readonly cursors: Cursors;
  readonly systems: Systems;
  readonly versions: Versions;
  readonly changes: Changes;
  readonly registers: Registers;
  readonly blobs: Blobs;
  readonly vault: Vault;
  close(): Promise<void>;
}
