// Ties `sluice check` to the connectors that there are.
import { readdir } from "node:fs/promises";
import { loadConnector } from "../connector/registry.ts";
import { checkCommand, type CheckOptions } from "./check.ts";

export async function check(options: CheckOptions): Promise<number> {
  const folders = await readdir(new URL("../../connectors/", import.meta.url), { withFileTypes: true });
  const connectorNames = folders.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return checkCommand(
    options,
    { out: process.stdout, err: process.stderr },
    { connectorNames, connectors: (name) => (connectorNames.includes(name) ? loadConnector(name) : undefined) },
  );
}
