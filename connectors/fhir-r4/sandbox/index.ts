// A sandbox EHR on loopback: an in-memory FHIR R4 server with SMART Backend Services sign-in, strict about what it accepts,
// which can fail in every way that a gateway must survive.
import { systemClock } from "../../../src/core/clock.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import {
  startLoopback,
  type DrawFault,
  type Fault,
  type RunningServer,
  type SandboxAnswer,
  type SandboxOptions,
  type SandboxRequest,
} from "../../../src/connector/sandbox.ts";
import { capabilityStatement, outcomeAnswer } from "./answers.ts";
import { Interactions } from "./interactions.ts";
import { keysOf } from "./search.ts";
import { SignIn, type SandboxClient } from "./sign-in.ts";
import { ResourceStore, type Resource, type StoredResource } from "./store.ts";
import { isKnownType } from "./validate.ts";

export type { SandboxClient } from "./sign-in.ts";
export type { Resource, StoredResource } from "./store.ts";

export interface FhirSandboxOptions extends SandboxOptions {
  readonly clients?: readonly SandboxClient[];
  /** Stated in the SMART configuration; the base address when absent. */
  readonly issuer?: string;
  /** A free port when absent. */
  readonly port?: number;
  /** Default: true when there are clients. Without it there is no SMART configuration either. */
  readonly requireAuth?: boolean;
  /** Status of a stale If-Match; 412 when absent. */
  readonly conflictStatus?: 409 | 412;
}

export interface FhirSandbox extends RunningServer {
  readonly baseUrl: string;
  /** Requests that arrived, refused and failed ones too; `reads` and `writes` are those to records. */
  readonly counts: {
    readonly requests: number;
    readonly reads: number;
    readonly writes: number;
    readonly tokens: number;
  };
  /** `X-Request-Id` of each request to records, in their order. */
  readonly requestIds: readonly (string | undefined)[];
  /** An EHR user's own entry: a new record, or with `id` a new version of it; `agoMs` dates the change back. */
  put(resource: Resource, agoMs?: number): StoredResource;
  /** An EHR user's edit. Throws when there is no such record. */
  edit(type: string, id: string, change: (resource: StoredResource) => Resource): StoredResource;
  /** Gone without a trace, as after a physical delete: reads answer 404, searches do not list it. */
  remove(type: string, id: string): void;
  get(type: string, id: string): StoredResource | undefined;
  all(type: string): readonly StoredResource[];
  /** Oldest version first. */
  history(type: string, id: string): readonly StoredResource[];
  setFault(fault: DrawFault | undefined): void;
  revokeTokens(): void;
  disableClient(clientId: string): void;
  enableClient(clientId: string): void;
  setIssuer(issuer: string): void;
  /** From now on a rule of the EHR's own refuses every write with 422, repeating in its text what was sent. */
  refuseWrites(): void;
  /** Makes every next link given so far invalid. */
  expirePages(): void;
}

const knownTypes = ["Patient", "Appointment", "Consent"];

export async function startFhirSandbox(options: FhirSandboxOptions = {}): Promise<FhirSandbox> {
  const now = options.now ?? (() => systemClock.now());
  const store = new ResourceStore(now, keysOf);
  const signIn = new SignIn(options.clients ?? [], now);
  const requireAuth = options.requireAuth ?? (options.clients?.length ?? 0) > 0;
  const counts = { requests: 0, reads: 0, writes: 0, tokens: 0 };
  const requestIds: (string | undefined)[] = [];
  let fault = options.fault;
  let issuer = options.issuer;

  // The base address is known once the server listens; no request comes earlier.
  let base = "";
  let interactions: Interactions | undefined;
  const open = (): Interactions =>
    (interactions ??= new Interactions({
      store,
      base,
      now,
      conflictStatus: options.conflictStatus ?? 412,
      beforeWrite: options.beforeWrite,
    }));

  const server = await startLoopback(async (request) => {
    counts.requests += 1;
    const path = request.url.pathname;
    if (path === "/fhir/token") {
      counts.tokens += 1;
      return dated(await signIn.token(request, `${base}/token`), now());
    }
    if (path === "/fhir/.well-known/smart-configuration") {
      return dated(requireAuth ? smartConfiguration(base, issuer ?? base) : outcomeAnswer(404, "not-found"), now());
    }
    if (path === "/fhir/metadata") return dated(jsonAnswer(capabilityStatement(base, knownTypes, now())), now());
    const requestId = request.headers["x-request-id"];
    requestIds.push(typeof requestId === "string" ? requestId : undefined);
    if (request.method === "GET") counts.reads += 1;
    else counts.writes += 1;
    const failing = await fault?.(request);
    if (failing === "timeout") return "hang";
    const failed = failing === undefined ? undefined : faultAnswer(failing);
    if (failed) return dated(failed, now());
    const answer = await interact(request, open(), requireAuth ? signIn : undefined);
    return failing === "lost-answer" ? "cut" : dated(answer, now());
  }, options.port);
  base = `${server.origin}/fhir`;

  const entered = (resource: Resource, agoMs = 0): StoredResource => {
    const { id } = resource;
    return store.save(resource, typeof id === "string" ? id : store.newId(), agoMs).resource;
  };
  return {
    ...server,
    baseUrl: base,
    counts,
    requestIds,
    put: entered,
    edit: (type, id, change) => {
      const current = store.latest(type, id);
      if (!current) throw new Error(`the sandbox EHR has no ${type}/${id}`);
      return entered({ ...change(structuredClone(current.resource)), id });
    },
    remove: (type, id) => {
      store.remove(type, id);
    },
    get: (type, id) => store.latest(type, id)?.resource,
    all: (type) => store.all(type).map((version) => version.resource),
    history: (type, id) => store.history(type, id).map((version) => version.resource),
    setFault: (next) => (fault = next),
    revokeTokens: () => {
      signIn.revokeAll();
    },
    disableClient: (clientId) => {
      signIn.disable(clientId);
      signIn.revokeAll();
    },
    enableClient: (clientId) => {
      signIn.enable(clientId);
    },
    setIssuer: (next) => (issuer = next),
    refuseWrites: () => {
      open().refuseWrites();
    },
    expirePages: () => {
      open().expirePages();
    },
  };
}

/** `[base]/Type`, `[base]/Type/id` and the paging links; everything else is not found. */
async function interact(request: SandboxRequest, to: Interactions, signIn: SignIn | undefined): Promise<SandboxAnswer> {
  const { pathname, searchParams } = request.url;
  const [, type, id] = /^\/fhir\/([A-Za-z]+)(?:\/([A-Za-z0-9\-.]{1,64}))?$/.exec(pathname) ?? [];
  const authorization = request.headers.authorization;
  if (pathname === "/fhir" && searchParams.has("_getpages")) {
    // The pages hold one type, but the link does not say which: any live token will do.
    if (signIn?.refuse(authorization, "", "s") === 401) return outcomeAnswer(401, "login");
    return to.page(searchParams);
  }
  const action = actionOf(request.method, id);
  if (type === undefined || action === undefined) return outcomeAnswer(405, "not-supported");
  const refused = signIn?.refuse(authorization, type, action);
  if (refused) return outcomeAnswer(refused, refused === 401 ? "login" : "forbidden");
  if (!isKnownType(type)) return outcomeAnswer(404, "not-supported");
  if (action === "s") return to.search(type, request);
  return action === "r" ? to.read(type, id ?? "") : to.write(type, id, request);
}

function actionOf(method: string, id: string | undefined): "r" | "s" | "c" | "u" | undefined {
  if (method === "GET") return id === undefined ? "s" : "r";
  if (method === "POST" && id === undefined) return "c";
  return method === "PUT" && id !== undefined ? "u" : undefined;
}

function faultAnswer(fault: Fault): SandboxAnswer | undefined {
  if (fault === "unavailable") return outcomeAnswer(503, "transient");
  if (fault === "unauthorized") return outcomeAnswer(401, "login");
  if (fault !== "throttled") return undefined;
  const answer = outcomeAnswer(429, "throttled");
  return { ...answer, headers: { ...answer.headers, "retry-after": "1" } };
}

function smartConfiguration(base: string, issuer: string): SandboxAnswer {
  return jsonAnswer({
    issuer,
    token_endpoint: `${base}/token`,
    token_endpoint_auth_methods_supported: ["private_key_jwt"],
    token_endpoint_auth_signing_alg_values_supported: ["RS384", "ES384"],
    grant_types_supported: ["client_credentials"],
    scopes_supported: knownTypes.map((type) => `system/${type}.cruds`),
    capabilities: ["client-confidential-asymmetric", "permission-v2"],
  });
}

function jsonAnswer(body: JsonObject): SandboxAnswer {
  return { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

function dated(answer: SandboxAnswer, now: number): SandboxAnswer {
  return { ...answer, headers: { ...answer.headers, date: new Date(now).toUTCString() } };
}
