// Checks each system against its connector: connection, secrets, identity, addresses. Gives the systems that passed.
import type { ConnectorModule } from "../connector/contract.ts";
import { SluiceError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import { nameHint } from "./closest.ts";
import { parseDuration } from "./duration.ts";
import type { Read } from "./files.ts";
import { problem, type Problem } from "./problems.ts";
import { clearSecrets, resolveAll, resolveText, type ReferenceBase } from "./references.ts";
import { checkShape } from "./schema-problems.ts";

/** The connector of that name; undefined or a thrown SluiceError = there is none. */
export type FindConnector = (name: string) => ConnectorModule | undefined | Promise<ConnectorModule | undefined>;

export interface CheckedSystem {
  readonly read: Read<"system">;
  readonly module: ConnectorModule;
  /** As the connector's schema gave it back: secrets resolved, defaults filled in. */
  readonly connection: JsonObject;
  readonly webhookSecret: string | undefined;
}

export interface Findings {
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

export interface SystemChecks extends ReferenceBase {
  readonly connectors: FindConnector;
  readonly connectorNames: readonly string[];
  /** True: a reference that gives nothing is a warning, and its field is left out (for `check` on another machine). */
  readonly lenientSecrets: boolean;
}

/** Undefined when the system's connector is not known or its connection is not usable; the findings say why. */
export async function checkSystem(
  read: Read<"system">,
  checks: SystemChecks,
  findings: Findings,
): Promise<CheckedSystem | undefined> {
  const module = await findConnector(read, checks, findings);
  if (!module) return undefined;
  checkIdentity(read, module, findings);
  checkConcurrency(read, module, findings);
  checkLimits(read, module, findings);
  const connection = await checkConnection(read, module, checks, findings);
  const webhookSecret = await checkWebhookSecret(read, checks, findings);
  if (!connection) return undefined;
  if (connection.complete) checkOrigins(read, module, connection.value, findings);
  return { read, module, connection: connection.value, webhookSecret };
}

function checkConcurrency(read: Read<"system">, module: ConnectorModule, { problems }: Findings): void {
  const most = module.capabilities.maxConcurrency;
  if (most === undefined || read.value.concurrency <= most) return;
  const message = `a ${module.name} system takes at most ${most} requests at once, not ${read.value.concurrency}`;
  problems.push(problem(read.file.where(["concurrency"]), message, `set concurrency to ${most} or less`));
}

function checkLimits(read: Read<"system">, module: ConnectorModule, { problems }: Findings): void {
  const { dailyShare, breaker } = read.value;
  if (dailyShare !== undefined && !module.capabilities.tellsUsage) {
    const message = `a ${module.name} system does not tell its daily limit, so there is no share of it`;
    problems.push(problem(read.file.where(["dailyShare"]), message, "set dailyLimit, a number of requests, instead"));
  }
  if ((parseDuration(breaker.cap) ?? 0) >= (parseDuration(breaker.base) ?? 0)) return;
  const message = `"breaker.cap" (${breaker.cap}) is shorter than "breaker.base" (${breaker.base})`;
  problems.push(problem(read.file.where(["breaker", "cap"]), message, "make cap as long as base or longer"));
}

async function findConnector(
  read: Read<"system">,
  checks: SystemChecks,
  { problems }: Findings,
): Promise<ConnectorModule | undefined> {
  const name = read.value.connector;
  try {
    const module = await checks.connectors(name);
    if (module) return module;
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
  }
  const hint = nameHint(name, checks.connectorNames) ?? "the name of a folder under connectors/ is wanted";
  problems.push(problem(read.file.where(["connector"]), `there is no connector "${name}"`, hint));
  return undefined;
}

async function checkConnection(
  read: Read<"system">,
  module: ConnectorModule,
  checks: SystemChecks,
  { problems, warnings }: Findings,
): Promise<{ readonly value: JsonObject; readonly complete: boolean } | undefined> {
  const clear = clearSecrets(read.value.connection, module.connection, read.file);
  problems.push(...clear);
  const { value, unresolved } = await resolveAll(read.value.connection, checks);
  const found = checks.lenientSecrets ? warnings : problems;
  const missing = new Set(unresolved.map(({ path }) => path.join(".")));
  for (const { path, why } of unresolved) {
    found.push(
      problem(read.file.where(["connection", ...path]), `"connection.${path.join(".")}": ${why.message}`, why.hint),
    );
  }
  const shape = checkShape(module.connection, value, read.file, ["connection"]);
  if ("value" in shape) return clear.length > 0 ? undefined : { value: shape.value as JsonObject, complete: true };
  // A field that was left out for want of its secret has been reported once already.
  const rest = shape.problems.filter(
    (found) => ![...missing].some((path) => found.message.startsWith(`"connection.${path}"`)),
  );
  problems.push(...rest);
  return rest.length === 0 && clear.length === 0 && checks.lenientSecrets ? { value, complete: false } : undefined;
}

/** Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes. */
async function checkWebhookSecret(
  read: Read<"system">,
  checks: SystemChecks,
  { problems, warnings }: Findings,
): Promise<string | undefined> {
  const reference = read.value.webhookSecret;
  if (reference === undefined) return undefined;
  const where = read.file.where(["webhookSecret"]);
  const secret = await resolveText(reference, checks);
  if (typeof secret !== "string") {
    (checks.lenientSecrets ? warnings : problems).push(
      problem(where, `"webhookSecret": ${secret.message}`, secret.hint),
    );
    return undefined;
  }
  const bytes = /^whsec_[A-Za-z0-9+/]+={0,2}$/.test(secret) ? Buffer.from(secret.slice(6), "base64").length : 0;
  if (bytes >= 24 && bytes <= 64) return secret;
  problems.push(
    problem(
      where,
      `what "webhookSecret" points to is no webhook secret`,
      "whsec_ followed by the base64 of 24 to 64 random bytes",
    ),
  );
  return undefined;
}

/** ARCHITECTURE, What always holds 14. A FHIR server is known by its issuer, or by what it says it is. */
const fhirIdentities: readonly (readonly string[])[] = [
  ["issuer", "tokenEndpoint"],
  ["baseUrl", "implementation"],
];

function checkIdentity(read: Read<"system">, module: ConnectorModule, { problems }: Findings): void {
  const given = Object.keys(read.value.identity);
  for (const name of given.filter((name) => !module.identity.includes(name))) {
    const where = read.file.where(["identity", name]);
    problems.push(
      problem(
        where,
        `"${name}" is no part of the identity of a ${module.name} system`,
        nameHint(name, module.identity),
      ),
    );
  }
  const wanted = module.kind === "fhir" ? fhirIdentities : [module.identity];
  if (wanted.some((names) => names.every((name) => given.includes(name)))) return;
  const words = wanted.map((names) => names.join(" and ")).join(", or ");
  problems.push(
    problem(
      read.file.where(["identity"]),
      `"identity" does not say who the system is: ${words}`,
      "npx sluice doctor shows what the system says of itself",
    ),
  );
}

/** PHI crosses a network only encrypted (45 CFR 164.312(e)(1)); plain http is for this machine's own sandboxes. */
function checkOrigins(
  read: Read<"system">,
  module: ConnectorModule,
  connection: JsonObject,
  { problems }: Findings,
): void {
  let origins: readonly string[];
  try {
    origins = module.origins(connection);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    problems.push(problem(read.file.where(["connection"]), error.message, error.detail.hint));
    return;
  }
  for (const origin of origins) {
    const url = URL.parse(origin);
    if (url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname))) continue;
    problems.push(
      problem(
        read.file.where(["connection"]),
        "the system is reached without encryption",
        "use an https:// address; http:// is accepted on 127.0.0.1 only",
      ),
    );
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}
