// `sluice check`: reads and checks all of `config/`, and prints for people (or with --json as data) what may go where,
// under which agreement and consent, and what is withheld.
import { join } from "node:path";
import Table from "cli-table3";
import { systemClock, type Clock } from "../core/clock.ts";
import { brakeKinds } from "../core/configuration.ts";
import { compileMapping } from "../mapping/compile.ts";
import { compileMinimum } from "../policy/minimum.ts";
import type { FindConnector } from "../settings/check-systems.ts";
import { SluiceError } from "../core/errors.ts";
import { readDeployment, readHttpSettings, type DeploymentOptions } from "../settings/deployment.ts";
import { environment } from "../settings/environment.ts";
import { loadKeys, requireSigningKeys } from "../settings/keys.ts";
import { writeSchemas } from "../settings/json-schemas.ts";
import { loadConfiguration, type LoadedConfiguration, type LoadOptions } from "../settings/load.ts";
import { ConfigurationError, problemText } from "../settings/problems.ts";
import { decisionTables, purposeWords, type ChannelTable, type ResourceTable } from "./decision-tables.ts";

export interface CheckOptions {
  /** Configuration directory. */
  readonly config: string;
  readonly json?: boolean;
  /** Also writes the JSON Schemas into `<config>/schemas`. */
  readonly writeSchemas?: boolean;
}

export interface Streams {
  readonly out: { write(text: string): unknown };
  readonly err: { write(text: string): unknown };
}

export interface CheckTools extends Pick<LoadOptions, "connectorNames" | "env" | "overrides"> {
  readonly connectors: FindConnector;
  readonly clock?: Clock;
}

/** Exit code: 0 all is well, 1 a live channel is shut today by its agreements, 2 the configuration is wrong. */
export async function checkCommand(options: CheckOptions, streams: Streams, tools: CheckTools): Promise<number> {
  if (options.writeSchemas) await writeSchemas(join(options.config, "schemas"));
  const { clock = systemClock, ...load } = tools;
  let loaded: LoadedConfiguration;
  try {
    loaded = await loadConfiguration(options.config, { ...load, compileMapping, compileMinimum, secrets: "lenient" });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    if (options.json) streams.out.write(`${JSON.stringify({ problems: error.problems })}\n`);
    streams.err.write(`${error.message}\n`);
    return 2;
  }
  const tables = tablesOf(loaded, clock.now());
  const { configuration, warnings } = loaded;
  if (options.json) streams.out.write(`${JSON.stringify({ hash: configuration.hash, warnings, channels: tables })}\n`);
  else streams.out.write(checkText(tables, configuration.hash));
  for (const warning of warnings) streams.err.write(`warning\n${problemText(warning)}\n`);
  const missing = [await keyProblem(options.config, loaded, load.env), await machineProblem(options.config, load)];
  const named = missing.filter((one) => one !== undefined);
  for (const problem of named) streams.err.write(`warning\n${problem}\n`);
  if (warnings.length > 0 || named.length > 0) {
    streams.err.write("valid, but a start is refused until what the warnings name is there\n");
  }
  const shut = tables.filter(({ mode, open }) => mode === "live" && !open);
  for (const { channel } of shut)
    streams.err.write(`channel "${channel}" is live, but its agreements release nothing today\n`);
  return shut.length > 0 ? 1 : 0;
}

function tablesOf({ configuration, modules }: LoadedConfiguration, at: number): readonly ChannelTable[] {
  const crm = [...modules].filter(([, module]) => module.kind === "crm").map(([id]) => id);
  return decisionTables({ configuration, crmSystems: new Set(crm), at });
}

/** What is missing of the places of the profile and of the front door: checking needs none of it, running does. */
async function machineProblem(dir: string, options: DeploymentOptions): Promise<string | undefined> {
  return missingOf("see docs/production.md", async () => {
    await readDeployment(dir, options);
    await readHttpSettings(dir, options);
  });
}

/** What is wrong with the keys that the configuration names: checking needs none, running does. */
async function keyProblem(
  dir: string,
  { configuration, keys }: LoadedConfiguration,
  env: CheckTools["env"],
): Promise<string | undefined> {
  return missingOf("see keys in sluice.yaml", async () => {
    requireSigningKeys(configuration, await loadKeys(keys, { dir, env: env ?? environment() }));
  });
}

async function missingOf(hint: string, look: () => Promise<void>): Promise<string | undefined> {
  try {
    await look();
    return undefined;
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return `  ${error.message}\n    hint: ${error.detail.hint ?? hint}`;
  }
}

/** The tables as people read them. */
export function checkText(tables: readonly ChannelTable[], hash: string): string {
  const channels = tables.map((table) => channelText(table)).join("\n");
  const count = tables.length === 1 ? "1 channel" : `${tables.length} channels`;
  return `${channels}\nThe configuration is valid: ${count}, hash ${hash}\n`;
}

function channelText(table: ChannelTable): string {
  const { from, to, purpose } = table;
  const heading = `${table.channel}  (${table.kind}, ${table.environment}, ${table.mode}${table.open ? "" : ", shut by its agreements"})`;
  const route = `from ${from.name} to ${to.name} for ${purposeWords[purpose]} (${purpose})`;
  const resources = table.resources.map((resource) => resourceText(resource, route));
  const consent = `  consent: ${table.consent}; facts at most ${table.consentMaxAge} old; source asked every ${table.pollEvery}`;
  return [heading, consent, ...brakeText(table), ...resources, ""].join("\n");
}

function brakeText({ brake }: ChannelTable): readonly string[] {
  if (!brake) return [];
  const limits = brakeKinds.map((kind) => `${brake[kind].perHour} ${kind}`);
  return [
    `  brake: a person is asked above, within an hour, ${limits.join(", ")}; above more if its own past is busier`,
  ];
}

function resourceText(resource: ResourceTable, route: string): string {
  const what = resource.crmObject === undefined ? resource.type : `${resource.crmObject}/${resource.type}`;
  const rows: Row[] = [
    ...agreementRows(resource),
    ["may leave", resource.elements === undefined ? safeHarborWords : resource.elements.join(", ")],
    ...(resource.keptBesides.length > 0 ? [["and, needed to read it", resource.keptBesides.join(", ")] as Row] : []),
    ["withheld by default", "everything else"],
    ...(resource.justification === undefined ? [] : [["because", resource.justification] as Row]),
  ];
  const parts = [`  ${what} data ${route}`, list(rows)];
  if (resource.fields.length > 0) parts.push(grid(["CRM field", "FHIR path", "here"], fieldRows(resource)));
  return parts.join("\n");
}

const safeHarborWords = "what the safe-harbor profile leaves: no identifier of 45 CFR 164.514(b)(2)";

function agreementRows({ agreements }: ResourceTable): Row[] {
  return agreements.map(({ system, outcome, text, agreements: named }) => {
    const words = named
      .map(({ id, until }) => `${id} ${until === "evergreen" ? "(evergreen)" : `until ${until}`}`)
      .join("; ");
    return [`agreement with ${system}`, outcome === "permit" ? words : `NONE: ${text}`];
  });
}

const stateWords = {
  moves: "moves",
  withheld: "withheld",
  "not-this-way": "other direction only",
} as const;

function fieldRows({ fields }: ResourceTable): string[][] {
  return fields.map(({ crm, fhir, state, notes }) => [crm, fhir, [stateWords[state], ...notes].join(", ")]);
}

type Row = [string, string];

const plain = { style: { head: [], border: [], compact: true } };

/** Names and words, wrapped to a line's length. */
function list(rows: readonly Row[]): string {
  const table = new Table({ ...plain, colWidths: [27, 90], wordWrap: true });
  table.push(...rows);
  return indented(table.toString());
}

function grid(head: string[], rows: readonly string[][]): string {
  const table = new Table({ ...plain, head });
  table.push(...rows.map((row) => [...row]));
  return indented(table.toString());
}

function indented(text: string): string {
  return text.replace(/^/gm, "  ");
}
