// Makes the Configuration out of checked files, and the document that its hash is made of.
import type { Channel, Configuration, SystemConfig } from "../core/configuration.ts";
import type { JsonObject } from "../core/json.ts";
import type { CheckedSystem } from "./check-systems.ts";
import { parseDuration } from "./duration.ts";
import type { Read, ReadConfiguration } from "./files.ts";

type Unhashed = Omit<Configuration, "hash">;

/** Systems that did not pass their checks are left out: then there are problems, and the result is not given out. */
export function assemble(
  sluice: Read<"sluice">["value"],
  read: ReadConfiguration,
  systems: ReadonlyMap<string, CheckedSystem>,
): Unhashed {
  return {
    entity: sluice.entity,
    timeZone: sluice.timeZone,
    implicitConsent: defined(sluice.implicitConsent),
    systems: new Map([...systems.values()].map((system) => [system.read.id, systemOf(system)])),
    agreements: [...read.agreement.values()].map(({ id, value }) => defined({ ...value, id })),
    channels: new Map([...read.channel.values()].map((channel) => [channel.id, channelOf(channel)])),
    mappings: new Map(
      [...read.mapping.values()].map(({ id, value }) => [
        id,
        defined({ ...value, id, fields: value.fields.map(defined) }),
      ]),
    ),
    policies: new Map([...read.policy.values()].map(({ id, value }) => [id, defined({ ...value, id })])),
    retry: { baseMs: ms(sluice.retry.base), capMs: ms(sluice.retry.cap), maxAttempts: sluice.retry.maxAttempts },
    leaseMs: ms(sluice.lease),
  };
}

function systemOf({ read, connection, webhookSecret }: CheckedSystem): SystemConfig {
  const { timeout, visibleAfter, webhookSecret: _reference, testPatients, breaker, ...rest } = read.value;
  return {
    ...defined(rest),
    id: read.id,
    connection,
    timeoutMs: ms(timeout),
    visibleAfterMs: ms(visibleAfter),
    breaker: { failures: breaker.failures, baseMs: ms(breaker.base), capMs: ms(breaker.cap) },
    testPatients: testPatients.map(defined),
    ...(webhookSecret === undefined ? {} : { webhookSecret }),
  };
}

function channelOf({ id, value }: Read<"channel">): Channel {
  const { consentMaxAge, pollEvery, resources, ...rest } = value;
  return {
    ...rest,
    id,
    resources: resources.map(defined),
    consentMaxAgeMs: ms(consentMaxAge),
    pollEveryMs: ms(pollEvery),
  };
}

/** What is hashed and stored: as assembled, but connections and webhook secrets as they stand in the files. */
export function documentOf(base: Unhashed, read: ReadConfiguration): JsonObject {
  const systems = [...base.systems.values()].map((system) => {
    const source = read.system.get(system.id)?.value;
    return [
      system.id,
      { ...system, connection: source?.connection ?? {}, webhookSecret: source?.webhookSecret },
    ] as const;
  });
  const document = {
    ...base,
    systems: Object.fromEntries(systems),
    channels: Object.fromEntries(base.channels),
    mappings: Object.fromEntries(base.mappings),
    policies: Object.fromEntries(base.policies),
  };
  return document as unknown as JsonObject;
}

/** Only called on texts that the schema has checked. */
function ms(duration: string): number {
  return parseDuration(duration) ?? 0;
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** The object without members that are undefined. */
function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T>;
}
