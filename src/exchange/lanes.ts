// Names of lanes. None says anything about a patient: what is derived from a record or a birth date is an HMAC.
import type { Channel } from "../core/configuration.ts";
import { hmacId } from "../core/ids.ts";
import { refKey, type RecordRef } from "../core/records.ts";
import type { Gateway } from "./gateway.ts";

/** Where a record waits and is looked at until its person is known. */
export function ownLane(gateway: Gateway, record: RecordRef): string {
  return `resolve:${hmacId(gateway.keys.id, "record-lane", refKey(record))}`;
}

/** Where the visits of a person wait until that person is linked at the destination. */
export function visitsLane(gateway: Gateway, channel: Channel, personRecord: RecordRef): string {
  return `visits:${hmacId(gateway.keys.id, "visits-lane", channel.id, refKey(personRecord))}`;
}

/** Records that could be one person resolve one after the other. */
export function birthDateLane(gateway: Gateway, birthDate: string): string {
  return `resolve:${hmacId(gateway.keys.id, "birth-date-lane", birthDate)}`;
}

export function feedLane(channel: Channel): string {
  return `feed:${channel.id}`;
}

export function pollLane(system: string, type: string): string {
  return `poll:${system}/${type}`;
}

export function isResolveLane(lane: string): boolean {
  return lane.startsWith("resolve:");
}
