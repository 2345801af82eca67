// Part of the step from merge to record: an exchange that would do what the brake counts is counted, waits on a channel that
// is stopped, or drops the fields that a person has decided against. What it drops becomes part of the link's base, so
// that it is no news the next time the record is looked at.
import { instant } from "../../core/clock.ts";
import type { BrakeKind, Channel } from "../../core/configuration.ts";
import { SluiceError } from "../../core/errors.ts";
import { acceptRows } from "../accept.ts";
import { apart } from "../apart.ts";
import type { Destination } from "../destination.ts";
import type { Active } from "../gateway.ts";
import { noticeId } from "../notice.ts";
import { entryFor } from "../on-record.ts";
import type { Link, NewRow, Row } from "../ports.ts";
import type { SyncRun } from "../run.ts";
import { storeLink } from "../settle.ts";
import { ended, Stop, waiting } from "../stop.ts";
import type { Effect } from "./effects.ts";
import type { Choice } from "./state.ts";

export interface Wanted {
  readonly effects: readonly Effect[];
  /** Names of all fields that would be written. */
  readonly fields: readonly string[];
}

/** Answers what this row has been counted for. Throws a Stop when it may not go on as it is. */
export async function passBrake(run: SyncRun, wanted: Wanted, destination: Destination): Promise<readonly BrakeKind[]> {
  const { row, channel, gateway } = run;
  const counted = row.intent?.braked ?? [];
  const kinds = [...new Set(wanted.effects.map((effect) => effect.kind))];
  // What a person restores is written at once, however many records it is.
  if (kinds.length === 0 || isRestore(row)) return counted;
  const taken = await gateway.brakes.take(channel, { acceptedAt: row.acceptedAt, kinds, counted });
  if (taken.kind === "stopped") throw waiting("brake");
  if (taken.kind === "passed") return [...counted, ...taken.counted];
  return drop(run, wanted, destination, taken.choices);
}

const restoreMark = "restore ";

/** Only `drop` makes such rows: no system can report a command. */
export function isRestore(row: Pick<Row, "kind" | "mark">): boolean {
  return row.kind === "command" && row.mark.startsWith(restoreMark);
}

/** The channel back, on which the source can be given its values again. */
export function channelBack(active: Active, { from, to }: Channel, mapping: string | undefined): Channel | undefined {
  return [...active.configuration.channels.values()].find(
    (one) =>
      one.from === to &&
      one.to === from &&
      one.mode === "live" &&
      one.resources.some((resource) => mapping !== undefined && resource.mapping === mapping),
  );
}

type Choices = ReadonlyMap<BrakeKind, Exclude<Choice, "apply">>;

/** Without the fields that were decided against: the rest of the row runs again; with no rest it has ended. */
async function drop(run: SyncRun, wanted: Wanted, { link, record }: Destination, choices: Choices): Promise<never> {
  if (!link || !record) throw new TypeError("only what both sides have can be dropped");
  const dropped = wanted.effects.filter((effect) => choices.has(effect.kind));
  const back = channelBack(run.active, run.channel, run.mapping.id);
  const restored = new Set(
    dropped
      .filter((effect) => back && choices.get(effect.kind) === "restore" && movesBack(run, effect))
      .map(({ field }) => field),
  );
  const cause = restored.size > 0 ? "brake-restored" : "brake-discarded";
  await putOnRecord(run, link, dropped, cause);
  // In this lane, behind this row: it runs when the base below is stored.
  if (back && restored.size > 0) await acceptRows(run.gateway, [restoreRow(run, back, record.ref)]);
  await storeBase(run, link, baseWithout(run, link, dropped, restored));
  const left = wanted.fields.filter((field) => !dropped.some((effect) => effect.field === field));
  if (left.length > 0) throw new Stop({ kind: "again" });
  throw ended("cancelled", cause);
}

function movesBack(run: SyncRun, { field }: Effect): boolean {
  const direction = run.mapping.fields.find((one) => one.name === field)?.direction ?? "both";
  return direction === "both";
}

/**
 * Restored: the base is what the source holds, so the destination counts as the side that has moved, and its value moves
 * to the source. Discarded: each side has its own, and neither has moved.
 */
function baseWithout(
  run: SyncRun,
  link: Link,
  dropped: readonly Effect[],
  restored: ReadonlySet<string>,
): Readonly<Record<string, string>> {
  const { from, to } = run.channel;
  const own = dropped.map(({ field, source, destination }) => {
    return [field, restored.has(field) ? source : apart({ [from]: source, [to]: destination })] as const;
  });
  return { ...link.base, ...Object.fromEntries(own) };
}

/** Throws `system-conflict`, which is tried again, when somebody else has renewed the link: else the row would run for ever. */
async function storeBase(run: SyncRun, link: Link, base: Readonly<Record<string, string>>): Promise<void> {
  await storeLink(run, { ...link, base }, false);
  const now = await run.gateway.store.links.get(link.id);
  if (Object.entries(base).every(([field, value]) => now?.base[field] === value)) return;
  throw new SluiceError("system-conflict", "the link was renewed by another exchange");
}

function restoreRow(run: SyncRun, back: Channel, source: NewRow["source"]): NewRow {
  const { gateway, row, lane } = run;
  const notice = { channel: back.id, source, kind: "command", mark: `${restoreMark}${row.id}` } as const;
  return {
    ...notice,
    id: noticeId(gateway.keys, notice),
    lane: lane.hold.lane,
    priority: row.priority,
    acceptedAt: gateway.clock.now(),
    configuration: run.active.configuration.hash,
  };
}

async function putOnRecord(run: SyncRun, link: Link, dropped: readonly Effect[], cause: string): Promise<void> {
  const { gateway, row, channel } = run;
  const header = {
    v: 1,
    kind: "administration",
    at: instant(gateway.clock.now()),
    actor: "sluice",
    cause,
    exchange: row.id,
    channel: channel.id,
    person: gateway.personKeys.pseudonym(link.person),
    withheld: [...new Set(dropped.map((effect) => effect.element))],
  } as const;
  const key = `administration.brake.${row.id}`;
  const entry = await entryFor(gateway, key, header, { source: row.source, link: link.id }, link.person);
  await gateway.store.audit.append([entry]);
}
