// One run of one row: what its stages share. A run belongs to one configuration from beginning to end.
import type { Channel, ChannelResource } from "../core/configuration.ts";
import type { RecordRef } from "../core/records.ts";
import type { CompiledMapping } from "../mapping/contract.ts";
import { quarantine } from "./causes.ts";
import type { Active, Gateway } from "./gateway.ts";
import type { HeldLane } from "./lane.ts";
import type { Row } from "./ports.ts";
import type { Stage } from "./stages.ts";
import { ended } from "./stop.ts";

export interface Run {
  readonly gateway: Gateway;
  readonly active: Active;
  readonly row: Row;
  readonly lane: HeldLane;
  readonly channel: Channel;
  readonly resource: ChannelResource;
  /** The attempt number that this run will use if it gets that far. */
  readonly n: number;
}

export interface SyncRun extends Run {
  readonly mapping: CompiledMapping;
}

/** Enters a stage. */
export async function at<T>(run: Run, stage: Stage, work: () => Promise<T> | T): Promise<T> {
  run.gateway.trace?.(stage, run.row.id);
  return work();
}

/** Where a test may hold or kill this run. */
export async function point(
  run: Run,
  name: "accepted" | "judged" | "recorded" | "sent" | "applied" | "linked",
): Promise<void> {
  await run.gateway.pausePoint?.(name, run.row.id);
}

/** The resource of the channel that this source record belongs to. */
export function resourceOf(active: Active, channel: Channel, source: RecordRef): ChannelResource | undefined {
  return channel.resources.find((resource) => sourceType(active, channel, resource) === source.type);
}

/** What the source calls records of this resource: a FHIR type, or the mapping's CRM object. */
export function sourceType(active: Active, channel: Channel, resource: ChannelResource): string {
  return typeAt(active, channel.from, resource);
}

/** What a system calls records of this resource. */
export function typeAt(active: Active, system: string, resource: ChannelResource): string {
  if (resource.mapping === undefined) return resource.type;
  const { declaration } = active.mapping(resource.mapping);
  return isFhir(active, system) ? declaration.fhir.type : declaration.crm.object;
}

/** FHIR systems are named so by their connector. */
export function isFhir(active: Active, system: string): boolean {
  return active.fhirSystems.has(system);
}

/** Starts a run; a row whose channel is gone goes to a person, one whose channel is off ends as cancelled. */
export function startRun(gateway: Gateway, row: Row, lane: HeldLane, mode?: "also-off"): Run {
  const { active } = gateway;
  const channel = active.configuration.channels.get(row.channel);
  const resource = channel && resourceOf(active, channel, row.source);
  if (!channel || !resource) throw quarantine("configuration-gone", { channel: row.channel });
  if (channel.mode === "off" && mode !== "also-off") throw ended("cancelled", "channel-off");
  return { gateway, active, row, lane, channel, resource, n: row.attempt + 1 };
}

export function syncRun(run: Run): SyncRun {
  const id = run.resource.mapping;
  if (id === undefined) throw quarantine("configuration-gone", { channel: run.channel.id });
  return { ...run, mapping: run.active.mapping(id) };
}
