// What the Salesforce tests share: a clock that stands still, an RSA key, a running sandbox org and the system that is it.
import { exportJWK, generateKeyPair } from "jose";
import salesforce from "../../../../connectors/salesforce/index.ts";
import { SalesforceConnector } from "../../../../connectors/salesforce/connector.ts";
import {
  startSalesforceSandbox,
  type SalesforceSandbox,
  type SalesforceSandboxOptions,
} from "../../../../connectors/salesforce/sandbox/index.ts";
import { openOutbound } from "../../../../src/connector/outbound.ts";
import type { Clock } from "../../../../src/core/clock.ts";
import type { Keys, SystemConfig } from "../../../../src/core/configuration.ts";
import { systemRandom } from "../../../../src/core/ids.ts";
import type { JsonObject } from "../../../../src/core/json.ts";

export const organizationId = "00D5e0000000001EAA";
export const missingId = "003000000000000AAA";
export const fields = ["LastName", "FirstName", "Birthdate", "Email", "Sluice_Link_Id__c"];

export interface StandingClock extends Clock {
  advance(ms: number): void;
}

export function standingClock(start = Date.UTC(2026, 10, 25, 10)): StandingClock {
  let now = start;
  return {
    now: () => now,
    monotonic: () => now - start,
    sleep: () => Promise.resolve(),
    advance: (ms) => {
      now += ms;
    },
  };
}

let pair: Promise<{ readonly privateKey: JsonObject; readonly publicKey: JsonObject }> | undefined;

/** Made once: RSA keys are slow to make. */
export function signingPair() {
  pair ??= generateKeyPair("RS256", { extractable: true }).then(async ({ privateKey, publicKey }) => ({
    privateKey: { ...(await exportJWK(privateKey)), kid: "crm-key" },
    publicKey: { ...(await exportJWK(publicKey)), kid: "crm-key" },
  }));
  return pair;
}

export interface OrgBench {
  readonly clock: StandingClock;
  readonly keys: Keys;
  readonly sandbox: SalesforceSandbox;
  readonly system: SystemConfig;
}

/** A sandbox org and the configuration of a system that is it; `connection` overrides single settings. */
export async function startOrg(
  connection: JsonObject = {},
  options: Partial<SalesforceSandboxOptions> = {},
): Promise<OrgBench> {
  const clock = standingClock();
  const { privateKey, publicKey } = await signingPair();
  const signIn = { organizationId, clientId: "consumer-key", username: "sluice@practice.example", publicKey };
  const sandbox = await startSalesforceSandbox({ ...signIn, now: () => clock.now(), ...options });
  const keys = { data: Buffer.alloc(32), id: Buffer.alloc(32), signing: [privateKey] };
  return { clock, keys, sandbox, system: systemOf(sandbox.origin, connection) };
}

export function systemOf(origin: string, connection: JsonObject = {}): SystemConfig {
  return {
    id: "crm",
    name: "Practice CRM",
    organization: "Organization/practice",
    connector: "salesforce",
    environment: "sandbox",
    identity: { organizationId },
    connection: {
      loginUrl: origin,
      instanceUrl: origin,
      clientId: "consumer-key",
      username: "sluice@practice.example",
      audience: "https://test.salesforce.com",
      signingKeyId: "crm-key",
      ...connection,
    },
    consentSource: false,
    concurrency: 4,
    breaker: { failures: 5, baseMs: 5_000, capMs: 300_000 },
    timeoutMs: 15_000,
    visibleAfterMs: 1_000,
    testPatients: [],
  };
}

export interface OpenedConnector {
  readonly connector: SalesforceConnector;
  close(): Promise<void>;
}

/** The connector over a dispatcher of its own. `origins` widens or narrows what it may call. */
export function openConnector(bench: OrgBench, system = bench.system, origins?: readonly string[]): OpenedConnector {
  const http = openOutbound({
    origins: origins ?? salesforce.origins(system.connection),
    timeoutMs: system.timeoutMs,
    concurrency: system.concurrency,
    maxBytes: 8 * 1024 * 1024,
  });
  const { clock, keys } = bench;
  const connector = new SalesforceConnector({ system, http, clock, keys, random: systemRandom });
  return { connector, close: () => http.close() };
}
