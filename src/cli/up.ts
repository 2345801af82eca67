// `sluice up`: gateway and worker in one process on the embedded profile, until it is told to stop.
import { SluiceError } from "../core/errors.ts";
import { startEmbedded } from "../embedded.ts";
import { readDeployment, readHttpSettings } from "../settings/deployment.ts";
import { openConfiguration, openKeys, type Place } from "./open.ts";
import { exitCodes, tell } from "./output.ts";
import { stopSignal } from "./stop-signal.ts";

export interface UpOptions extends Place {
  /** `host:port`. */
  readonly listen: string;
  readonly logLevel: string;
}

export async function up(options: UpOptions): Promise<number> {
  if ((await readDeployment(options.config)).profile !== "embedded") {
    throw new SluiceError("usage-wrong", "this deployment is on the production profile", {
      hint: "run `npx sluice serve` and `npx sluice worker`, any number of each",
    });
  }
  const opened = await openConfiguration(options.config);
  const keys = await openKeys(options.config, opened);
  const running = await startEmbedded({
    opened,
    keys,
    data: options.data,
    listen: options.listen,
    http: await readHttpSettings(options.config),
    logLevel: options.logLevel,
  });
  tell(`sluice is up at ${running.address}, configuration ${opened.configuration.hash}; Ctrl-C stops it`);
  const signal = await stopSignal();
  tell(`${signal}: finishing what runs`);
  await running.close();
  return exitCodes.done;
}
