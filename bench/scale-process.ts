// One gateway or worker of the scaling benchmark, in a process of its own.
import { openConfiguration } from "../src/cli/open.ts";
import { startProduction, type RunningProcess } from "../src/production.ts";
import type { ProductionPlaces } from "../src/settings/deployment.ts";
import { loadKeys, type KeyReferences } from "../src/settings/keys.ts";
import type { Overrides } from "../src/settings/files.ts";

export interface ProcessOrder {
  readonly role: "gateway" | "worker";
  readonly places: ProductionPlaces;
  readonly keysDir: string;
  readonly references: KeyReferences;
  readonly overrides: Overrides;
  readonly env: Readonly<Record<string, string>>;
  readonly data: string;
  readonly concurrency: number;
}

let running: RunningProcess | undefined;

async function start(order: ProcessOrder): Promise<string> {
  const { role, places, keysDir, references, overrides, env, data, concurrency } = order;
  running = await startProduction({
    role,
    places,
    opened: await openConfiguration("config", { overrides, env, quiet: true }),
    keys: await loadKeys(references, { dir: keysDir, env: {} }),
    data,
    listen: "127.0.0.1:0",
    http: { trustProxy: false },
    logLevel: "error",
    concurrency,
  });
  return running.address;
}

process.on("message", (order: ProcessOrder | "stop") => {
  const work = order === "stop" ? running?.close() : start(order);
  Promise.resolve(work).then(
    (address) => process.send?.({ address }, () => order === "stop" && process.disconnect()),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : "failed" }),
  );
});
process.on("disconnect", () => process.exit());
