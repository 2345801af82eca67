// Reads a configuration directory, checks all of it and gives one immutable Configuration with its hash. Whatever is
// wrong is reported together; a configuration with a problem is never given out.
import type { ConnectorModule } from "../connector/contract.ts";
import type { Configuration, MappingDeclaration, MinimumPolicy } from "../core/configuration.ts";
import { SluiceError } from "../core/errors.ts";
import { sha256 } from "../core/ids.ts";
import { canonicalJson } from "../core/json.ts";
import { assemble, documentOf } from "./assemble.ts";
import { checkChannel } from "./check-channels.ts";
import { checkRules } from "./check-rules.ts";
import { checkSystem, type CheckedSystem, type FindConnector, type Findings } from "./check-systems.ts";
import { environment } from "./environment.ts";
import { readConfiguration, type Overrides, type Read, type ReadConfiguration } from "./files.ts";
import type { KeyReferences } from "./keys.ts";
import { ConfigurationError, inOrder, problem, type Problem } from "./problems.ts";
import type { Env } from "./references.ts";

export interface LoadOptions {
  readonly connectors: FindConnector;
  /** For hints: the connectors that there are. */
  readonly connectorNames?: readonly string[];
  /** Absent = the process's own. */
  readonly env?: Env;
  /** Tried on each mapping; a SluiceError that it throws is a problem of that file. */
  readonly compileMapping?: (declaration: MappingDeclaration) => unknown;
  /** Tried on each policy, likewise. */
  readonly compileMinimum?: (policy: MinimumPolicy) => unknown;
  readonly overrides?: Overrides;
  /**
   * `required` (default): every `env:` and `file:` reference must give a secret. `lenient`: one that does not is a warning
   * and its field is left out, so that `check` works on a machine without secrets; such a configuration can run nothing.
   */
  readonly secrets?: "required" | "lenient";
}

export interface LoadedConfiguration {
  readonly configuration: Configuration;
  /** Canonical JSON that the hash is made of: references, never secrets; without `keys`, which differ by machine. */
  readonly document: string;
  readonly keys: KeyReferences;
  /** Connector of each system, by the system's id. */
  readonly modules: ReadonlyMap<string, ConnectorModule>;
  readonly warnings: readonly Problem[];
}

/** Throws ConfigurationError (`config-invalid`) with all problems. */
export async function loadConfiguration(dir: string, options: LoadOptions): Promise<LoadedConfiguration> {
  const findings: Findings = { problems: [], warnings: [] };
  const read = await readConfiguration(dir, options.overrides ?? {}, findings.problems);
  const systems = await checkSystems(dir, read, options, findings);
  for (const channel of read.channel.values()) findings.problems.push(...checkChannel(channel, { read, systems }));
  checkRules(read, systems, findings);
  const { sluice } = read;
  const base = sluice ? assemble(sluice.value, read, systems) : undefined;
  if (base) findings.problems.push(...tryCompilers(base, read, options));
  if (!base || !sluice || findings.problems.length > 0) throw new ConfigurationError(inOrder(findings.problems));
  const document = canonicalJson(documentOf(base, read));
  return {
    configuration: { ...base, hash: sha256(document) },
    document,
    keys: sluice.value.keys,
    modules: new Map([...systems.values()].map(({ read: { id }, module }) => [id, module])),
    warnings: inOrder(findings.warnings),
  };
}

async function checkSystems(
  dir: string,
  read: ReadConfiguration,
  options: LoadOptions,
  findings: Findings,
): Promise<ReadonlyMap<string, CheckedSystem>> {
  const checks = {
    dir,
    env: options.env ?? environment(),
    connectors: options.connectors,
    connectorNames: options.connectorNames ?? [],
    lenientSecrets: options.secrets === "lenient",
  };
  const systems = new Map<string, CheckedSystem>();
  for (const system of read.system.values()) {
    const checked = await checkSystem(system, checks, findings);
    if (checked) systems.set(system.id, checked);
  }
  return systems;
}

function tryCompilers(base: Omit<Configuration, "hash">, read: ReadConfiguration, options: LoadOptions): Problem[] {
  const { compileMapping, compileMinimum } = options;
  const problems: Problem[] = [];
  if (compileMapping) {
    for (const mapping of base.mappings.values())
      problems.push(...trial(() => compileMapping(mapping), read.mapping.get(mapping.id)));
  }
  if (compileMinimum) {
    for (const policy of base.policies.values())
      problems.push(...trial(() => compileMinimum(policy), read.policy.get(policy.id)));
  }
  return problems;
}

function trial(compile: () => unknown, source: Read<"mapping"> | Read<"policy"> | undefined): Problem[] {
  try {
    compile();
    return [];
  } catch (error) {
    if (!(error instanceof SluiceError) || !source) throw error;
    return [problem(placeOf(error, source), error.message, error.detail.hint)];
  }
}

/** The line of the first field or element that the error names, else the file. */
function placeOf(error: SluiceError, { file, value }: Read<"mapping"> | Read<"policy">): string {
  const [name] = error.detail.elements ?? [];
  if (name === undefined) return file.where([]);
  if ("fields" in value) {
    const index = value.fields.findIndex((field) => field.crm === name || field.fhir === name);
    return file.where(index < 0 ? [] : ["fields", index]);
  }
  const [type = "", ...rest] = name.split(".");
  const index = (value.allow[type] ?? []).indexOf(rest.join("."));
  return file.where(index < 0 ? ["allow", type] : ["allow", type, index]);
}
