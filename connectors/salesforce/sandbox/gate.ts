// What every request to the sandbox passes: counting, the token, the fault that is asked for, the hook before a write.
import type { Fault, SandboxAnswer, SandboxOptions, SandboxRequest } from "../../../src/connector/sandbox.ts";
import type { SalesforceSandboxOptions } from "./options.ts";
import type { Org } from "./org.ts";
import { json, Refusal, refusalAnswer } from "./refusal.ts";
import { readTarget, RestApi, type Target } from "./rest.ts";
import type { Tokens } from "./tokens.ts";

export interface SeenRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly requestId: string | undefined;
}

const kept = 1_000;

export class Gate {
  readonly counts = { requests: 0, writes: 0, tokens: 0 };
  readonly log: SeenRequest[] = [];
  origin = "";
  fault: SandboxOptions["fault"];
  readonly #options: SalesforceSandboxOptions;
  readonly #tokens: Tokens;
  readonly #now: () => number;
  readonly #api: RestApi;

  constructor(options: SalesforceSandboxOptions, org: Org, tokens: Tokens, now: () => number) {
    this.#options = options;
    this.#tokens = tokens;
    this.#now = now;
    this.#api = new RestApi(org);
    this.fault = options.fault;
  }

  async answer(request: SandboxRequest): Promise<SandboxAnswer | "cut" | "hang"> {
    if (request.url.pathname === "/services/oauth2/token") {
      this.counts.tokens += 1;
      return this.#dated(await this.#tokens.answer(request.body, this.origin));
    }
    this.#note(request);
    if (!this.#tokens.accepts(request.headers.authorization)) return this.#dated(unauthorized());
    const fault = await this.fault?.(request);
    if (fault === "timeout") return "hang";
    if (fault !== undefined && fault !== "lost-answer") return this.#dated(this.#faulty(fault));
    const answer = await this.#handle(request);
    return fault === "lost-answer" ? "cut" : this.#dated(answer);
  }

  async #handle(request: SandboxRequest): Promise<SandboxAnswer> {
    try {
      const target = readTarget(request.url.pathname);
      if (request.method === "GET") return this.#api.read(target, request);
      return await this.#write(target, request);
    } catch (error) {
      if (error instanceof Refusal) return refusalAnswer(error);
      return refusalAnswer(new Refusal(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred"));
    }
  }

  async #write(target: Target, request: SandboxRequest): Promise<SandboxAnswer> {
    const requestId = requestIdOf(request);
    const id = target.kind === "row" ? target.key : undefined;
    await this.#options.beforeWrite?.({ requestId, type: target.type, id, body: request.body });
    return this.#api.write(target, request, { by: "api", requestId });
  }

  #note(request: SandboxRequest): void {
    this.counts.requests += 1;
    if (request.method !== "GET") this.counts.writes += 1;
    this.log.push({ method: request.method, path: request.url.pathname, requestId: requestIdOf(request) });
    if (this.log.length > kept) this.log.shift();
  }

  #faulty(fault: Exclude<Fault, "timeout" | "lost-answer">): SandboxAnswer {
    if (fault === "unauthorized") return unauthorized();
    if (fault === "unavailable") return refusalAnswer(new Refusal(503, "SERVER_UNAVAILABLE", "Server Unavailable"));
    const answer = refusalAnswer(new Refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."));
    const seconds = this.#options.retryAfterSeconds;
    return seconds === undefined
      ? answer
      : { ...answer, headers: { ...answer.headers, "retry-after": String(seconds) } };
  }

  #dated(answer: SandboxAnswer): SandboxAnswer {
    const usage = `per-app-api-usage=1/250(appName=Sluice), api-usage=${this.counts.requests}/${this.#options.apiLimit ?? 100_000}`;
    const date = new Date(this.#now()).toUTCString();
    return { ...answer, headers: { ...answer.headers, date, "sforce-limit-info": usage } };
  }
}

function unauthorized(): SandboxAnswer {
  return json(401, [{ message: "Session expired or invalid", errorCode: "INVALID_SESSION_ID" }]);
}

function requestIdOf(request: SandboxRequest): string | undefined {
  const header = request.headers["x-request-id"];
  return typeof header === "string" ? header : undefined;
}
