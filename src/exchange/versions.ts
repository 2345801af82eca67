// The version of everything that a decision rests on: consents of the subjects, agreements in force, configuration.
// Computed from memory, synchronously, so that it can be compared in the instant of sending.
import type { RecordRef } from "../core/records.ts";
import type { Channel } from "../core/configuration.ts";
import { agreementsVersion } from "../policy/agreement.ts";
import type { Gateway } from "./gateway.ts";

export function versionNow(
  gateway: Gateway,
  basis: { readonly channel: Channel; readonly subjects: readonly RecordRef[] },
): string {
  const { channel, subjects } = basis;
  return `${gateway.active.configuration.hash}|${agreementsNow(gateway, channel)}|${gateway.consents.version(subjects)}`;
}

const lately = new WeakMap<Channel, { readonly second: number; readonly version: string }>();

/** Agreements begin and end with a day, so the answer holds for the second it was made in. */
function agreementsNow(gateway: Gateway, channel: Channel): string {
  const { configuration } = gateway.active;
  const second = Math.floor(gateway.clock.now() / 1000);
  const known = lately.get(channel);
  if (known?.second === second) return known.version;
  const version = agreementsVersion(
    configuration.agreements,
    [channel.from, channel.to],
    second * 1000,
    configuration.timeZone,
  );
  lately.set(channel, { second, version });
  return version;
}
