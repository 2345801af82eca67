// The HTTP surface over a real store and a gateway that runs nothing: no worker, no polls, a queue that forgets.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { openConfiguration } from "../../../src/cli/open.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { systemRandom } from "../../../src/core/ids.ts";
import type { Gateway } from "../../../src/exchange/gateway.ts";
import type { Queue } from "../../../src/exchange/ports.ts";
import { createApp } from "../../../src/http/app.ts";
import { measure } from "../../../src/http/metrics/metrics.ts";
import type { Readers } from "../../../src/http/metrics/route.ts";
import { buildGateway } from "../../../src/main.ts";
import { loadKeys, makeKeys } from "../../../src/settings/keys.ts";
import { openEmbeddedStore, type EmbeddedStore } from "../../../src/store/embedded/open.ts";
import { signedHeaders } from "../../e2e/signed-notice.ts";

const secret = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;
const configDir = new URL("../../../config", import.meta.url).pathname;

export interface LightOptions {
  /** Of the store; a new one when absent. */
  readonly directory?: string;
  /** A disk that is full after so many pages. */
  readonly maxPages?: number;
  /** Who may read `/metrics`. */
  readonly readers?: Readers;
}

export class LightGateway {
  readonly address: string;
  readonly store: EmbeddedStore;
  readonly gateway: Gateway;
  /** What `/readyz` and the worker believe about the configuration. */
  current = true;
  queueAnswers = true;
  readonly logged: string[];
  readonly #undo: (() => Promise<unknown>)[];

  private constructor(
    parts: Pick<LightGateway, "address" | "store" | "gateway" | "logged">,
    undo: (() => Promise<unknown>)[],
  ) {
    this.address = parts.address;
    this.store = parts.store;
    this.gateway = parts.gateway;
    this.logged = parts.logged;
    this.#undo = undo;
  }

  static async start(options: LightOptions = {}): Promise<LightGateway> {
    const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "sluice-http-")));
    const keysDir = await mkdtemp(join(tmpdir(), "sluice-keys-"));
    const { references } = await makeKeys(keysDir, systemRandom);
    const keys = await loadKeys(references, { dir: keysDir, env: {} });
    const { configuration, connectors } = await openConfiguration(configDir, {
      overrides: { systems: { crm: { webhookSecret: "env:CRM_WEBHOOK_SECRET" } } },
      env: { MARKETING_WEBHOOK_SECRET: secret, CRM_WEBHOOK_SECRET: secret },
    });
    const capped = options.maxPages === undefined ? {} : { maxPages: options.maxPages };
    const store = await openEmbeddedStore({ directory, ...capped });
    const logged: string[] = [];
    const log = pino({ level: "debug", base: null }, { write: (line: string) => void logged.push(line) });
    const queue: Queue = {
      wake: () => Promise.resolve(),
      onWake: () => Promise.resolve(),
      consume: () => Promise.resolve(),
      stats: () =>
        made?.queueAnswers === false ? Promise.reject(new Error("down")) : Promise.resolve({ waiting: 0, active: 0 }),
      close: () => Promise.resolve(),
    };
    const measuring = measure(store);
    const built = buildGateway({ configuration, connectors, keys, store: measuring.store, queue, log });
    const { gateway, refusals } = built;
    const takesNewWork = (): boolean => made?.current ?? true;
    const metrics = measuring.of(gateway, takesNewWork);
    const app = createApp({ gateway, refusals, takesNewWork, metrics, ...options.readers });
    const server = createServer(app);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const made: LightGateway | undefined = new LightGateway(
      { address: `http://127.0.0.1:${port}`, store, gateway, logged },
      [
        () =>
          new Promise<void>((resolve) =>
            server
              .close(() => {
                resolve();
              })
              .closeAllConnections(),
          ),
        () => built.stop(),
        () => store.close(),
        () => rm(keysDir, { recursive: true, force: true }),
        () => (options.directory === undefined ? rm(directory, { recursive: true, force: true }) : Promise.resolve()),
      ],
    );
    return made;
  }

  async notice(contact: string, id: string): Promise<Response> {
    const body = JSON.stringify({ type: "Contact", id: contact, event: "change" });
    return fetch(`${this.address}/webhooks/crm`, {
      method: "POST",
      body,
      headers: signedHeaders(secret, id, body, systemClock.now()),
    });
  }

  async close(): Promise<void> {
    for (const step of this.#undo) await step();
  }
}
