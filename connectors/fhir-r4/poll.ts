// Incremental reading by `_lastUpdated`: one page a call, overlap and de-duplication against late and repeated records,
// next links only within the server, an expired link answered by asking again.
import { sha256 } from "../../src/core/ids.ts";
import type { SourceRecord } from "../../src/core/records.ts";
import type { ConnectorContext, PollPage, PollRequest } from "../../src/connector/contract.ts";
import { nextLink, recordsIn, searchTime } from "./bundle.ts";
import type { FhirAnswer, FhirClient } from "./client.ts";
import { isBelowBase, type FhirConnection } from "./connection.ts";
import { readCursor, writeCursor, type Position } from "./cursor.ts";
import { malformed } from "./discovery.ts";
import { failureOf } from "./outcome.ts";
import { checkType } from "./resource.ts";

const largestPage = 1000;

export class FhirPoller {
  readonly #connection: FhirConnection;
  readonly #context: ConnectorContext;
  readonly #client: FhirClient;

  constructor(connection: FhirConnection, context: ConnectorContext, client: FhirClient) {
    this.#connection = connection;
    this.#context = context;
    this.#client = client;
  }

  async poll(request: PollRequest): Promise<PollPage> {
    checkType(request.type);
    const before = readCursor(request.cursor);
    const { answer, position } = await this.#page(request, before);
    const read = recordsIn(this.#context.system.id, request.type, answer.body);
    const next = nextLink(this.#connection, answer.body);
    if (next !== undefined && next === before.next)
      throw malformed("the next page's link leads to the same page again");
    const started = position.started ?? searchTime(answer);
    const after = this.#advance({ ...position, ...defined({ started }) }, read, next);
    const fresh = read.filter((record) => !(versionHash(record) in before.seen));
    return { records: inOrder(fresh), cursor: writeCursor(after), more: next !== undefined };
  }

  /** The running sweep's next page; without one, or when its link has expired, the first page of a new search. */
  async #page(request: PollRequest, at: Position): Promise<{ answer: FhirAnswer; position: Position }> {
    const { next } = at;
    if (next !== undefined && isBelowBase(this.#connection, new URL(next))) {
      const answer = await this.#client.read({}, (client, options) => client.request(next, { options }));
      if (isSuccess(answer)) return { answer, position: at };
      if (!hasExpired(answer)) throw failureOf(answer, false, this.#context.clock.now());
    }
    // Everything up to `upTo` has been read in this sweep; what changed since then has moved beyond it.
    const since = next === undefined ? at.since : (at.upTo ?? at.since);
    const answer = await this.#search(request, since);
    if (!isSuccess(answer)) throw failureOf(answer, false, this.#context.clock.now());
    return { answer, position: { ...defined({ since }), seen: at.seen } };
  }

  #search(request: PollRequest, since: number | undefined): Promise<FhirAnswer> {
    const searchParams = {
      ...(since === undefined ? {} : { _lastUpdated: `ge${seconds(since)}` }),
      _sort: "_lastUpdated",
      _count: Math.max(1, Math.min(request.limit, largestPage)),
    };
    // Some servers answer an equal search from a cache, with an old time and without new changes.
    const headers = { "cache-control": "no-cache", prefer: "handling=strict" };
    return this.#client.read(headers, (client, options) =>
      client.resourceSearch({ resourceType: request.type, searchParams, options }),
    );
  }

  #advance(sweep: Position, read: readonly SourceRecord[], next: string | undefined): Position {
    const { started } = sweep;
    const overlap = this.#connection.overlapSeconds;
    const floor = started === undefined ? undefined : Math.floor(started / 1000) - overlap;
    const seen = { ...sweep.seen };
    for (const record of read) {
      const changed = changedSeconds(record);
      if (changed !== undefined && (floor === undefined || changed >= floor)) seen[versionHash(record)] = changed;
    }
    if (next !== undefined) return { ...sweep, next, seen, ...defined({ upTo: reached(sweep, read) }) };
    // A server that tells no time of its own: the position stays, the same changes are read again. Never our clock.
    const since = floor ?? sweep.since;
    const kept = Object.entries(seen).filter(([, changed]) => since === undefined || changed >= since);
    return { ...defined({ since }), seen: Object.fromEntries(kept) };
  }
}

/** Latest change time so far, while the pages keep ascending; undefined as soon as one does not. */
function reached(sweep: Position, read: readonly SourceRecord[]): number | undefined {
  if (sweep.next !== undefined && sweep.upTo === undefined) return undefined;
  let latest = sweep.upTo;
  for (const record of read) {
    const changed = changedSeconds(record);
    if (changed === undefined || (latest !== undefined && changed < latest)) return undefined;
    latest = changed;
  }
  return latest;
}

function versionHash(record: SourceRecord): string {
  return sha256(`${record.ref.id}|${record.version ?? record.changedAt ?? ""}`).slice(0, 16);
}

function changedSeconds(record: SourceRecord): number | undefined {
  const time = Date.parse(record.changedAt ?? "");
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
}

/** Whole seconds: some servers store or compare no finer. */
function seconds(since: number): string {
  return new Date(since * 1000).toISOString().replace(".000Z", "Z");
}

function inOrder(records: readonly SourceRecord[]): readonly SourceRecord[] {
  const time = (record: SourceRecord): number => changedSeconds(record) ?? 0;
  return [...records].sort((left, right) => time(left) - time(right));
}

function isSuccess(answer: FhirAnswer): boolean {
  return answer.status >= 200 && answer.status <= 299;
}

/** HAPI answers 410, Epic 400 with code 4113, others 404. */
function hasExpired(answer: FhirAnswer): boolean {
  return [400, 404, 410, 422].includes(answer.status);
}

function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
