// `sluice serve` and `sluice worker`: one process of the production profile, until it is told to stop.
import { SluiceError } from "../core/errors.ts";
import { readDeployment, readHttpSettings } from "../settings/deployment.ts";
import { openConfiguration, openKeys, type Place } from "./open.ts";
import { exitCodes, tell } from "./output.ts";
import { stopSignal } from "./stop-signal.ts";

export interface ProcessOptions extends Place {
  /** `host:port`. */
  readonly listen: string;
  readonly logLevel: string;
  /** Workers: lanes at once. */
  readonly concurrency?: number;
}

export function serve(options: ProcessOptions): Promise<number> {
  return run("gateway", options);
}

export function worker(options: ProcessOptions): Promise<number> {
  return run("worker", options);
}

async function run(role: "gateway" | "worker", options: ProcessOptions): Promise<number> {
  const { profile, ...places } = await productionOf(options.config);
  const opened = await openConfiguration(options.config);
  const keys = await openKeys(options.config, opened);
  const { startProduction } = await import("../production.ts");
  const running = await startProduction({
    role,
    opened,
    keys,
    places,
    data: options.data,
    listen: options.listen,
    http: await readHttpSettings(options.config),
    logLevel: options.logLevel,
    ...(options.concurrency !== undefined && { concurrency: options.concurrency }),
  });
  const { hash } = opened.configuration;
  const idle = running.worker.takesNewWork ? "" : "; another one is current, so it waits: `npx sluice activate`";
  tell(`sluice ${role} is up at ${running.address} (${profile}), configuration ${hash}${idle}; Ctrl-C stops it`);
  const signal = await stopSignal();
  tell(`${signal}: finishing what runs`);
  await running.close();
  return exitCodes.done;
}

async function productionOf(
  dir: string,
): Promise<Extract<Awaited<ReturnType<typeof readDeployment>>, { profile: "production" }>> {
  const deployment = await readDeployment(dir);
  if (deployment.profile === "production") return deployment;
  throw new SluiceError("usage-wrong", "this deployment is on the embedded profile, which runs in one process", {
    hint: "run `npx sluice up`; for several processes set `profile: production` in sluice.yaml (docs/production.md)",
  });
}
