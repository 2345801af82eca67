// Loads a connector by its folder's name. A name is a folder directly under `connectors/` and nothing else.
import { existsSync } from "node:fs";
import { SluiceError } from "../core/errors.ts";
import type { ConnectorModule } from "./contract.ts";

const folder = new URL("../../connectors/", import.meta.url);

/** Throws `config-invalid` when there is no such connector. */
export async function loadConnector(name: string): Promise<ConnectorModule> {
  const entry = new URL(`${name}/index.ts`, folder);
  if (!/^[a-z][a-z0-9-]*$/.test(name) || !existsSync(entry)) {
    throw new SluiceError("config-invalid", `there is no connector "${name}"`, {
      hint: "the name of a folder under connectors/ is wanted",
    });
  }
  const loaded = (await import(entry.href)) as { readonly default: ConnectorModule };
  return loaded.default;
}
