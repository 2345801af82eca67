// The baseline's loopback requests: those that the pipeline itself made, sent again bare to the same sandboxes, without its
// client libraries, guards and checks.
import { Agent, request } from "undici";
import type { RecordedRequest } from "./practice-process.ts";

const kept: ReadonlySet<string> = new Set(["accept", "authorization", "content-type", "prefer", "cache-control"]);

interface Answer {
  readonly version: string | undefined;
  readonly body: unknown;
}

export class Replay {
  readonly #agent: Agent;
  readonly #exchanges: readonly (readonly RecordedRequest[])[];

  constructor(recorded: readonly RecordedRequest[], connections: number) {
    this.#agent = new Agent({ connections, pipelining: 1 });
    const byExchange = new Map<string, RecordedRequest[]>();
    for (const one of recorded) {
      const [exchange = "", attempt] = (one.headers["x-request-id"] ?? "").split(".");
      if (attempt === undefined) continue; // a poll
      const headers = Object.fromEntries(Object.entries(one.headers).filter(([name]) => kept.has(name)));
      byExchange.set(exchange, [...(byExchange.get(exchange) ?? []), { ...one, headers }]);
    }
    this.#exchanges = [...byExchange.values()];
  }

  get exchanges(): number {
    return this.#exchanges.length;
  }

  /** The requests of the first exchange: `crm GET, ehr GET, ehr PUT`. */
  get kinds(): string {
    return (this.#exchanges[0] ?? []).map((one) => `${one.system} ${one.method}`).join(", ");
  }

  /** The requests of one exchange, one after the other. */
  async run(index: number): Promise<void> {
    let before: Answer | undefined;
    for (const one of this.#exchanges[index] ?? []) before = await this.#send(one, before);
  }

  /** A write sends back what was read just before it, under that version: the recorded ones have moved on. */
  async #send({ method, url, headers, body }: RecordedRequest, before: Answer | undefined): Promise<Answer> {
    const writes = method !== "GET" && before !== undefined;
    const answer = await request(url, {
      dispatcher: this.#agent,
      method,
      headers: writes && before.version !== undefined ? { ...headers, "if-match": before.version } : headers,
      ...(body === "" ? {} : { body: writes ? JSON.stringify(before.body) : body }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 400) throw new Error(`${method} answered ${answer.statusCode}`);
    const { etag } = answer.headers;
    return {
      version: typeof etag === "string" ? etag : undefined,
      body: JSON.parse(text === "" ? "null" : text) as unknown,
    };
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}
