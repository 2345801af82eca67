// What most commands begin with: the configuration and its connectors, the keys, the ledger of the data directory.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import type { ConnectorModule } from "../connector/contract.ts";
import { loadConnector } from "../connector/registry.ts";
import type { Keys } from "../core/configuration.ts";
import { SluiceError } from "../core/errors.ts";
import { hasLedger, hasMoved, openStoreAt, refuseArchive, type Opened } from "../embedded.ts";
import type { MirroredStore } from "../exchange/ports.ts";
import { compileMapping } from "../mapping/compile.ts";
import { compileMinimum } from "../policy/minimum.ts";
import { openProductionStore } from "../production-store.ts";
import { readDeployment } from "../settings/deployment.ts";
import { environment } from "../settings/environment.ts";
import type { Overrides } from "../settings/files.ts";
import { loadKeys, requireSigningKeys } from "../settings/keys.ts";
import { loadConfiguration } from "../settings/load.ts";
import { tell } from "./output.ts";

export interface Place {
  /** `--config`. */
  readonly config: string;
  /** `--data`. */
  readonly data: string;
}

export interface OpenOptions {
  readonly overrides?: Overrides;
  readonly secrets?: "required" | "lenient";
  /** Warnings are not told: they have nothing to do with what was asked. */
  readonly quiet?: boolean;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Throws ConfigurationError with every problem of the directory. */
export async function openConfiguration(dir: string, options: OpenOptions = {}): Promise<Opened> {
  if (!existsSync(dir)) {
    throw new SluiceError("config-invalid", `there is no directory ${dir}`, { hint: "give one with --config DIR" });
  }
  const connectors = await allConnectors();
  const loaded = await loadConfiguration(dir, {
    connectors: (name) => connectors.get(name),
    connectorNames: [...connectors.keys()],
    compileMapping,
    compileMinimum,
    ...(options.overrides && { overrides: options.overrides }),
    ...(options.secrets && { secrets: options.secrets }),
    ...(options.env && { env: options.env }),
  });
  if (!options.quiet) for (const { where, message } of loaded.warnings) tell(`warning: ${where}: ${message}`);
  return { ...loaded, connectors };
}

async function allConnectors(): Promise<ReadonlyMap<string, ConnectorModule>> {
  const folders = await readdir(new URL("../../connectors/", import.meta.url), { withFileTypes: true });
  const names = folders.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return new Map(await Promise.all(names.map(async (name) => [name, await loadConnector(name)] as const)));
}

export async function openKeys(dir: string, opened: Opened): Promise<Keys> {
  const keys = await loadKeys(opened.keys, { dir, env: environment() }, (message) => {
    tell(`warning: ${message}`);
  });
  requireSigningKeys(opened.configuration, keys);
  return keys;
}

/**
 * The ledger that the configuration names, beside running processes or alone: MongoDB, or SQLite in short transactions. The
 * queue is never opened here.
 */
export async function openLedger(place: Place): Promise<MirroredStore> {
  const deployment = await readDeployment(place.config);
  if (deployment.profile === "production") return openProductionStore(deployment, place.data);
  if (!hasLedger(place.data)) {
    throw new SluiceError("usage-wrong", `there is no ledger under ${place.data}`, {
      hint: "give the data directory of `sluice up` with --data DIR (of the demo: .sluice/demo/data)",
    });
  }
  if (hasMoved(place.data)) tell("warning: this data has moved to the production profile; what you see is the archive");
  return openStoreAt(place.data);
}

/** The same, made if it is not there yet. */
export async function openOrMakeLedger(place: Place): Promise<MirroredStore> {
  const deployment = await readDeployment(place.config);
  if (deployment.profile === "production") return openProductionStore(deployment, place.data);
  refuseArchive(place.data);
  return openStoreAt(place.data);
}
