// Are the consents that a decision would rest on fresh enough? A source read too long ago is read first; if it cannot be,
// there is no answer, and the exchange waits (ARCHITECTURE, What always holds 1).
import type { Channel } from "../core/configuration.ts";
import type { Gateway } from "./gateway.ts";
import { pollLane } from "./lanes.ts";
import { pollNow } from "./poll.ts";
import { waiting } from "./stop.ts";

/** Throws a Stop `waiting` when a consent source could not be read within the channel's `consentMaxAge`. */
export async function needFreshConsents(gateway: Gateway, channel: Channel): Promise<void> {
  await gateway.hot.need();
  for (const system of gateway.active.configuration.systems.values()) {
    if (!system.consentSource || (await isFresh(gateway, system.id, channel))) continue;
    await pollNow(gateway, system.id, "Consent");
    if (!(await isFresh(gateway, system.id, channel))) throw waiting("consent-facts-too-old");
  }
}

/** When each source is known to have been read: a past reading stays one, so only an answer that is too old is asked for anew. */
const lastRead = new WeakMap<Gateway, Map<string, number>>();

async function isFresh(gateway: Gateway, system: string, channel: Channel): Promise<boolean> {
  const read = lastRead.get(gateway) ?? new Map<string, number>();
  lastRead.set(gateway, read);
  const isYoung = (at: number | undefined): boolean => {
    const age = at === undefined ? -1 : gateway.clock.now() - at;
    return age >= -gateway.clockToleranceMs && age + gateway.clockToleranceMs <= channel.consentMaxAgeMs;
  };
  if (isYoung(read.get(system))) return true;
  const cursor = await gateway.store.cursors.get(pollLane(system, "Consent"));
  // Another process may have read the source: what it found counts here before the reading does.
  if (cursor && cursor.goodAt !== read.get(system)) await gateway.hot.catchUp();
  if (cursor) read.set(system, cursor.goodAt);
  return isYoung(cursor?.goodAt);
}
