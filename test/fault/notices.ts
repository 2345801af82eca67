// Stands between the sandbox CRM and the gateways as a sender that means it: posts each notice to one gateway after the
// other until one acknowledges it, and remembers which were acknowledged, since those must never be lost.
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";

/** A gateway that has not answered by then stands still, or is gone. */
const patienceMs = 1_000;
const rounds = 3;

export class NoticeFront {
  /** Webhook ids, each answered with 202. */
  readonly acknowledged: string[] = [];
  /** Acknowledged after another gateway had not answered or had refused. */
  elsewhere = 0;
  /** No gateway took them; polls must make up for them. */
  unheard = 0;
  readonly #gateways: () => readonly string[];
  readonly #server: Server;
  #next = 0;

  private constructor(gateways: () => readonly string[]) {
    this.#gateways = gateways;
    this.#server = createServer((request, response) => {
      text(request)
        .then((body) => this.#send(request.url ?? "/", request.headers, body))
        .then(
          (taken) => response.writeHead(taken ? 202 : 503).end(),
          () => response.destroy(),
        );
    });
  }

  /** @param gateways Base addresses of those that could take a notice now. */
  static async open(gateways: () => readonly string[]): Promise<NoticeFront> {
    const front = new NoticeFront(gateways);
    await new Promise<void>((resolve) => front.#server.listen(0, "127.0.0.1", resolve));
    return front;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #send(path: string, headers: IncomingHttpHeaders, body: string): Promise<boolean> {
    let tried = 0;
    for (let round = 0; round < rounds; round += 1) {
      this.#next += 1;
      const gateways = this.#gateways();
      for (const [n] of gateways.entries()) {
        const gateway = gateways[(this.#next + n) % gateways.length] ?? "";
        if (await post(`${gateway}${path}`, headers, body)) {
          this.acknowledged.push(String(headers["webhook-id"]));
          this.elsewhere += tried > 0 ? 1 : 0;
          return true;
        }
        tried += 1;
      }
      await delay(300);
    }
    this.unheard += 1;
    return false;
  }
}

/** True: acknowledged, so that the sender forgets it. */
async function post(url: string, headers: IncomingHttpHeaders, body: string): Promise<boolean> {
  const named = ["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"];
  const sent = Object.fromEntries(named.map((name) => [name, String(headers[name])]));
  try {
    const response = await fetch(url, { method: "POST", headers: sent, body, signal: AbortSignal.timeout(patienceMs) });
    await response.arrayBuffer();
    return response.status === 202;
  } catch {
    return false;
  }
}
