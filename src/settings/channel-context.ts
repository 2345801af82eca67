// What the checks of a channel look at, and the check that all of them need: whether a named object exists.
import type { CheckedSystem } from "./check-systems.ts";
import { nameHint } from "./closest.ts";
import type { ObjectKind, Read, ReadConfiguration } from "./files.ts";
import { problem, type Problem } from "./problems.ts";

export type ChannelRead = Read<"channel">;

export interface ChannelContext {
  readonly read: ReadConfiguration;
  /** Systems that passed their own checks. */
  readonly systems: ReadonlyMap<string, CheckedSystem>;
}

/** A dangling id, with the nearest one that exists; nothing when the file is there but broken: that is reported already. */
export function dangling(kind: ObjectKind, id: string, where: string, read: ReadConfiguration): Problem[] {
  if (read.names[kind].includes(id)) return [];
  return [
    problem(where, `there is no ${kind} "${id}"`, nameHint(id, read.names[kind]) ?? `no ${kind} is configured yet`),
  ];
}
