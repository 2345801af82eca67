// `sluice up`: gateway and worker in one process on the embedded profile, until it is told to stop.
import { startEmbedded } from "../embedded.ts";
import { openConfiguration, openKeys, type Place } from "./open.ts";
import { exitCodes, tell } from "./output.ts";

export interface UpOptions extends Place {
  /** `host:port`. */
  readonly listen: string;
  readonly logLevel: string;
}

export async function up(options: UpOptions): Promise<number> {
  const opened = await openConfiguration(options.config);
  const keys = await openKeys(options.config, opened);
  const running = await startEmbedded({
    opened,
    keys,
    data: options.data,
    listen: options.listen,
    logLevel: options.logLevel,
  });
  tell(`sluice is up at ${running.address}, configuration ${opened.configuration.hash}; Ctrl-C stops it`);
  const signal = await stopSignal();
  tell(`${signal}: finishing what runs`);
  await running.close();
  return exitCodes.done;
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => {
        resolve(signal);
      });
  });
}
