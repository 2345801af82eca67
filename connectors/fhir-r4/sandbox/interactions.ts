// The sandbox EHR's interactions: read, search with paging, conditional create, version-aware update. A write is checked
// again after the hook that lets a test look at it, so that nothing slips in between.
import { parseJson } from "../../../src/core/json.ts";
import type { SandboxAnswer, SandboxRequest, SandboxWrite } from "../../../src/connector/sandbox.ts";
import { bundleAnswer, outcomeAnswer, problemAnswer, resourceAnswer } from "./answers.ts";
import { search } from "./search.ts";
import type { Resource, ResourceStore, Version } from "./store.ts";
import { problemOf } from "./validate.ts";

interface Snapshot {
  readonly versions: readonly Version[];
  readonly size: number;
  readonly searched: number;
}

export interface InteractionOptions {
  readonly store: ResourceStore;
  readonly base: string;
  readonly now: () => number;
  readonly conflictStatus: 409 | 412;
  readonly beforeWrite: ((write: SandboxWrite) => Promise<void>) | undefined;
}

const largestPage = 500;

export class Interactions {
  readonly #options: InteractionOptions;
  readonly #snapshots = new Map<string, Snapshot>();
  #pages = 0;
  #refusing = false;

  constructor(options: InteractionOptions) {
    this.#options = options;
  }

  /** From now on every next link given so far is answered 410. */
  expirePages(): void {
    this.#snapshots.clear();
  }

  /** From now on a rule of the EHR's own refuses every write, and its message repeats what was sent. */
  refuseWrites(): void {
    this.#refusing = true;
  }

  read(type: string, id: string): SandboxAnswer {
    const version = this.#options.store.latest(type, id);
    return version ? resourceAnswer(200, this.#options.base, version) : outcomeAnswer(404, "not-found");
  }

  search(type: string, request: SandboxRequest): SandboxAnswer {
    const { store, now } = this.#options;
    const query = request.url.searchParams;
    const count = Number(query.get("_count") ?? 20);
    const versions = search(store, type, query);
    if (!versions || !Number.isInteger(count) || count < 1) {
      return outcomeAnswer(400, "not-supported", undefined, `unsupported search ${request.url.search}`);
    }
    const snapshot = { versions, size: Math.min(count, largestPage), searched: now() };
    this.#pages += 1;
    const key = `page-${this.#pages}`;
    this.#snapshots.set(key, snapshot);
    return this.#page(key, snapshot, 0);
  }

  /** A page by its opaque link: `[base]?_getpages=…`. */
  page(query: URLSearchParams): SandboxAnswer {
    const key = query.get("_getpages") ?? "";
    const snapshot = this.#snapshots.get(key);
    const offset = Number(query.get("_getpagesoffset"));
    if (!snapshot || !Number.isInteger(offset) || offset < 0) return outcomeAnswer(410, "processing");
    return this.#page(key, snapshot, offset);
  }

  async write(type: string, id: string | undefined, request: SandboxRequest): Promise<SandboxAnswer> {
    const body = readBody(request.body);
    const problem = problemOf(type, body);
    if (problem) return problemAnswer(problem, request.body);
    const resource = body as Resource;
    if (id !== undefined && resource["id"] !== id) {
      return problemAnswer({ status: 400, code: "invalid", expression: `${type}.id` }, request.body);
    }
    if (this.#refusing) return outcomeAnswer(422, "business-rule", undefined, `a local rule refuses ${request.body}`);
    const judge = (): SandboxAnswer | undefined =>
      id === undefined ? this.#judgeCreate(type, request) : this.#judgeUpdate(type, id, request);
    const early = judge();
    if (early) return early;
    const requestId = request.headers["x-request-id"];
    const write = { requestId: typeof requestId === "string" ? requestId : undefined, type, id, body: request.body };
    await this.#options.beforeWrite?.(write);
    const late = judge();
    if (late) return late;
    const version = this.#options.store.save(resource, id ?? this.#options.store.newId());
    return resourceAnswer(id === undefined ? 201 : 200, this.#options.base, version);
  }

  /** FHIR R4 3.1.0.8.1. Undefined = go on and create. */
  #judgeCreate(type: string, request: SandboxRequest): SandboxAnswer | undefined {
    const condition = request.headers["if-none-exist"];
    if (condition === undefined) return undefined;
    const matches = search(this.#options.store, type, new URLSearchParams(String(condition)));
    const [first, second] = matches ?? [];
    if (!matches) return outcomeAnswer(400, "not-supported", undefined, `unsupported condition ${String(condition)}`);
    if (second) return outcomeAnswer(412, "multiple-matches");
    return first ? resourceAnswer(200, this.#options.base, first) : undefined;
  }

  /** Updates want If-Match; there is no update as create. Undefined = go on and update. */
  #judgeUpdate(type: string, id: string, request: SandboxRequest): SandboxAnswer | undefined {
    const current = this.#options.store.latest(type, id);
    if (!current) return outcomeAnswer(404, "not-found");
    const match = request.headers["if-match"];
    if (match === undefined) return outcomeAnswer(412, "required");
    return match === `W/"${current.version}"` ? undefined : outcomeAnswer(this.#options.conflictStatus, "conflict");
  }

  #page(key: string, snapshot: Snapshot, offset: number): SandboxAnswer {
    const { base } = this.#options;
    const end = offset + snapshot.size;
    const link = (at: number): string => `${base}?_getpages=${key}&_getpagesoffset=${at}&_bundletype=searchset`;
    return bundleAnswer(base, {
      versions: snapshot.versions.slice(offset, end),
      total: snapshot.versions.length,
      searched: snapshot.searched,
      self: link(offset),
      next: end < snapshot.versions.length ? link(end) : undefined,
    });
  }
}

function readBody(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
