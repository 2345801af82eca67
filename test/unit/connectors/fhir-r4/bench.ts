// What the fhir-r4 tests share: a clock that stands still, signing keys, a sandbox EHR and a connector opened against it.
import { exportJWK, generateKeyPair } from "jose";
import fhirR4 from "../../../../connectors/fhir-r4/index.ts";
import {
  startFhirSandbox,
  type FhirSandbox,
  type FhirSandboxOptions,
} from "../../../../connectors/fhir-r4/sandbox/index.ts";
import type { Connector } from "../../../../src/connector/contract.ts";
import { openOutbound, type Outbound } from "../../../../src/connector/outbound.ts";
import type { Clock } from "../../../../src/core/clock.ts";
import type { Environment, SystemConfig } from "../../../../src/core/configuration.ts";
import { systemRandom } from "../../../../src/core/ids.ts";
import type { JsonObject } from "../../../../src/core/json.ts";

export const start = Date.parse("2026-03-02T10:00:00.250Z");

const opened: (() => Promise<void>)[] = [];

/** For `afterEach`: closes every sandbox, server and dispatcher that the test has opened, also when it failed. */
export async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

export function closeLater(close: () => Promise<void>): void {
  opened.push(close);
}

export interface MovedClock extends Clock {
  advance(ms: number): void;
}

export function standingClock(at = start): MovedClock {
  let now = at;
  return {
    now: () => now,
    monotonic: () => now - at,
    sleep: () => Promise.resolve(),
    advance: (ms) => {
      now += ms;
    },
  };
}

export interface KeyPair {
  readonly privateKey: JsonObject;
  readonly publicKey: JsonObject;
}

export async function keyPair(algorithm: "RS384" | "ES384", kid: string): Promise<KeyPair> {
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const marks = { kid, alg: algorithm, use: "sig" };
  return {
    privateKey: { ...((await exportJWK(pair.privateKey)) as JsonObject), ...marks },
    publicKey: { ...((await exportJWK(pair.publicKey)) as JsonObject), ...marks },
  };
}

export const scopes = ["system/Patient.crus", "system/Appointment.crus", "system/Consent.rs"];

export interface OpenOptions {
  readonly connection: JsonObject;
  readonly clock: Clock;
  readonly keys?: readonly JsonObject[];
  readonly identity?: Readonly<Record<string, string>>;
  readonly environment?: Environment;
  readonly timeoutMs?: number;
}

export function systemOf(options: OpenOptions): SystemConfig {
  return {
    id: "ehr",
    name: "Sandbox EHR",
    organization: "Organization/sandbox-ehr",
    connector: "fhir-r4",
    environment: options.environment ?? "sandbox",
    identity: options.identity ?? {},
    connection: options.connection,
    consentSource: true,
    concurrency: 4,
    breaker: { failures: 5, baseMs: 5_000, capMs: 300_000 },
    timeoutMs: options.timeoutMs ?? 5_000,
    visibleAfterMs: 0,
    testPatients: [],
  };
}

export interface Opened {
  readonly connector: Connector;
  readonly http: Outbound;
}

export function openConnector(options: OpenOptions): Opened {
  const system = systemOf(options);
  const http = openOutbound({
    origins: fhirR4.origins(options.connection),
    timeoutMs: system.timeoutMs,
    concurrency: system.concurrency,
    maxBytes: 4 * 1024 * 1024,
  });
  closeLater(() => http.close());
  const keys = { data: Buffer.alloc(32), id: Buffer.alloc(32), signing: options.keys ?? [] };
  return { http, connector: fhirR4.open({ system, http, clock: options.clock, random: systemRandom, keys }) };
}

export interface Bench extends Opened {
  readonly sandbox: FhirSandbox;
  readonly clock: MovedClock;
  readonly connection: JsonObject;
}

/** A sandbox EHR without sign-in and a connector to it. */
export async function openBench(options: FhirSandboxOptions = {}, timeoutMs = 5_000): Promise<Bench> {
  const clock = standingClock();
  const sandbox = await startFhirSandbox({ now: clock.now, ...options });
  closeLater(() => sandbox.close());
  const connection = { baseUrl: sandbox.baseUrl };
  return { sandbox, clock, connection, ...openConnector({ connection, clock, timeoutMs }) };
}

/** A sandbox EHR with sign-in, one registered client and a connector that signs in as it. */
export async function openSignedBench(
  algorithm: "RS384" | "ES384" = "ES384",
  granted: readonly string[] = scopes,
  needed: readonly string[] = scopes,
): Promise<Bench> {
  const clock = standingClock();
  const pair = await keyPair(algorithm, "key-1");
  const clients = [{ clientId: "sluice", publicKeys: [pair.publicKey], scopes: granted }];
  const sandbox = await startFhirSandbox({ now: clock.now, clients });
  closeLater(() => sandbox.close());
  const connection = { baseUrl: sandbox.baseUrl, clientId: "sluice", signingKeyId: "key-1", algorithm, scopes: needed };
  return { sandbox, clock, connection, ...openConnector({ connection, clock, keys: [pair.privateKey] }) };
}

export function patient(family: string, given: readonly string[] = ["Ana"], birthDate = "1980-02-29") {
  return { resourceType: "Patient", name: [{ family, given }], birthDate } as const;
}
