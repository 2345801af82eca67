// The baseline's loopback requests: those that the pipeline itself made, sent again bare to the same sandboxes, without its
// client libraries, guards and checks.
import { Agent, request } from "undici";
import type { RecordedRequest } from "./practice-process.ts";

const kept: ReadonlySet<string> = new Set(["accept", "authorization", "content-type", "prefer", "cache-control"]);

export class Replay {
  readonly #agent: Agent;
  readonly #exchanges: readonly (readonly RecordedRequest[])[];

  constructor(recorded: readonly RecordedRequest[], connections: number) {
    this.#agent = new Agent({ connections, pipelining: 1 });
    const byExchange = new Map<string, RecordedRequest[]>();
    for (const one of recorded) {
      const [exchange = ""] = (one.headers["x-request-id"] ?? "").split(".");
      const headers = Object.fromEntries(Object.entries(one.headers).filter(([name]) => kept.has(name)));
      byExchange.set(exchange, [...(byExchange.get(exchange) ?? []), { ...one, headers }]);
    }
    this.#exchanges = [...byExchange.values()];
  }

  get requestsEach(): number {
    return this.#exchanges.reduce((sum, one) => sum + one.length, 0) / Math.max(1, this.#exchanges.length);
  }

  /** `GET GET PUT` and the like, of the first exchange. */
  get kinds(): string {
    return (this.#exchanges[0] ?? []).map((one) => `${one.system} ${one.method}`).join(", ");
  }

  get exchanges(): number {
    return this.#exchanges.length;
  }

  /** The requests of one exchange, one after the other. */
  async run(index: number): Promise<void> {
    let version: string | undefined;
    for (const one of this.#exchanges[index] ?? []) version = await this.#send(one, version);
  }

  /** A write goes under the version that was read just before it: the recorded one has moved on. */
  async #send({ method, url, headers, body }: RecordedRequest, version: string | undefined): Promise<string | undefined> {
    const answer = await request(url, {
      dispatcher: this.#agent,
      method,
      headers: method === "GET" || version === undefined ? headers : { ...headers, "if-match": version },
      ...(body === "" ? {} : { body }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 400) throw new Error(`${method} answered ${answer.statusCode}`);
    JSON.parse(text === "" ? "null" : text);
    const { etag } = answer.headers;
    return typeof etag === "string" ? etag : undefined;
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}
