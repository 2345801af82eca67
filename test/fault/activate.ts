// Makes the configuration of a fault run current, since processes of the production profile never do that by themselves.
import { openConfiguration } from "../../src/cli/open.ts";
import { putOnRecord } from "../../src/exchange/administer.ts";
import { openProductionStore } from "../../src/production-store.ts";
import type { ProductionPlaces } from "../../src/settings/deployment.ts";
import type { Ground } from "./deployment.ts";

/** As `sluice activate` does. */
export async function activate({ directory, settings }: Ground, places: ProductionPlaces): Promise<void> {
  const { config, overrides, env } = settings;
  const opened = await openConfiguration(config, { overrides, env });
  const store = await openProductionStore(places, directory);
  try {
    const { hash } = opened.configuration;
    await putOnRecord(store, { actor: "operator:test", action: "activate", reason: "fault run", configuration: hash });
    await store.versions.activate(hash, opened.document, Date.now(), "fault run");
  } finally {
    await store.close();
  }
}
