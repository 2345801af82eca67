// Polls one type of one system: each changed record becomes a notice, each changed Consent a fact. The poll has a lane of
// its own; its cursor moves under the lane's fence, after the rows are durable, and never beyond the source's clock.
import type { PollPage } from "../connector/contract.ts";
import { SluiceError } from "../core/errors.ts";
import { isJsonObject, parseJson } from "../core/json.ts";
import { hmacId, newId } from "../core/ids.ts";
import type { SourceRecord } from "../core/records.ts";
import { instant } from "../core/clock.ts";
import { parseReference } from "../fhir/references.ts";
import { acceptRows } from "./accept.ts";
import { acceptAgain } from "./again.ts";
import { callSystem } from "./call-system.ts";
import { contentOf } from "./fetch.ts";
import type { Gateway } from "./gateway.ts";
import { laneLost, LaneWatch, takeLane, type HeldLane } from "./lane.ts";
import { pollLane } from "./lanes.ts";
import { entryFor } from "./on-record.ts";
import { channelsFor, markOf, rowFor } from "./notice.ts";
import type { NewRow } from "./ports.ts";
import { typeAt } from "./run.ts";

const pageSize = 200;
const watches = new WeakMap<Gateway, LaneWatch>();
const running = new WeakMap<Gateway, Map<string, Promise<void>>>();

/** One poll to the end of what is there now. Joins a poll of the same type that is under way. Never throws. */
export function pollNow(gateway: Gateway, system: string, type: string): Promise<void> {
  const mine = running.get(gateway) ?? new Map<string, Promise<void>>();
  running.set(gateway, mine);
  const key = `${system}/${type}`;
  const under = mine.get(key);
  if (under) return under;
  const poll = pollOnce(gateway, system, type)
    .catch((error: unknown) => {
      gateway.log.warn({ system, type, error }, "poll failed; it is tried again at the next interval");
    })
    .finally(() => mine.delete(key));
  mine.set(key, poll);
  return poll;
}

async function pollOnce(gateway: Gateway, system: string, type: string): Promise<void> {
  if (gateway.pauses.has(system) || gateway.governors.isShut(system)) return;
  const watch = watches.get(gateway) ?? new LaneWatch(gateway.clock);
  watches.set(gateway, watch);
  const { ledger } = gateway.store;
  const lane = await takeLane(
    pollLane(system, type),
    ledger,
    watch,
    gateway.clock,
    gateway.active.configuration.leaseMs,
  );
  if (!lane) return;
  try {
    await pollPages(gateway, lane, system, type);
  } finally {
    await lane.release();
  }
}

async function pollPages(gateway: Gateway, lane: HeldLane, system: string, type: string): Promise<void> {
  const name = pollLane(system, type);
  const now = gateway.clock.now();
  const timeoutMs = gateway.active.configuration.systems.get(system)?.timeoutMs ?? 0;
  for (;;) {
    const before = await gateway.store.cursors.get(name);
    const { cursor, since = now } = positionOf(before?.value);
    await lane.need(timeoutMs);
    const page = await readPage(gateway, lane, system, type, cursor);
    if (type === "Consent") await keepConsents(gateway, lane, page.records);
    else await acceptRecords(gateway, name, page.records);
    // A sweep that was interrupted and goes on now has its first pages from then: it is as old as its beginning.
    const value = JSON.stringify(page.more ? { cursor: page.cursor, since } : { cursor: page.cursor });
    const goodAt = page.more ? (before?.goodAt ?? 0) : since;
    lane.kept(await gateway.store.cursors.move(name, { value, goodAt }, lane.hold));
    if (!page.more) return;
  }
}

interface Position {
  readonly cursor: string | undefined;
  /** When the sweep that is under way began; absent between sweeps. */
  readonly since?: number;
}

function positionOf(stored: string | undefined): Position {
  const value = stored === undefined ? undefined : parseJson(stored);
  const { cursor, since } = isJsonObject(value) ? value : {};
  return {
    cursor: typeof cursor === "string" ? cursor : undefined,
    ...(typeof since === "number" ? { since } : {}),
  };
}

function readPage(
  gateway: Gateway,
  lane: HeldLane,
  system: string,
  type: string,
  cursor: string | undefined,
): Promise<PollPage> {
  const name = pollLane(system, type);
  const guard = {
    requestId: newId(gateway.random),
    channel: name,
    check({ unsafe }: { readonly unsafe: boolean }): void {
      if (unsafe) throw new SluiceError("not-sent", "a poll only reads");
      if (lane.remaining() <= 0) throw laneLost();
    },
  };
  const fields = fieldsOf(gateway, system, type);
  return callSystem(gateway, system, guard, (connector) => connector.poll({ type, cursor, fields, limit: pageSize }));
}

/** Every field that a mapping of a channel from this system names. */
function fieldsOf(gateway: Gateway, system: string, type: string): readonly string[] {
  const fields = new Set<string>();
  for (const channel of gateway.active.configuration.channels.values()) {
    if (channel.from !== system) continue;
    for (const resource of channel.resources) {
      if (resource.mapping === undefined || typeAt(gateway.active, system, resource) !== type) continue;
      for (const field of gateway.active.mapping(resource.mapping).crmFields) fields.add(field);
    }
  }
  return [...fields];
}

async function acceptRecords(gateway: Gateway, poll: string, records: readonly SourceRecord[]): Promise<void> {
  if (records.length === 0) return;
  gateway.trace?.("select", poll);
  const rows: NewRow[] = [];
  const seen: (() => Promise<void>)[] = [];
  for (const record of records) {
    for (const channel of channelsFor(gateway, record.ref)) {
      const { mark, seen: observed } = await markOf(gateway, channel, record);
      rows.push(await rowFor(gateway, channel, { source: record.ref, kind: "change", mark, priority: "live", record }));
      if (observed) seen.push(() => gateway.store.ledger.observe(channel.id, record.ref, observed));
    }
  }
  gateway.trace?.("accept", poll);
  await acceptRows(gateway, rows);
  await Promise.all(seen.map((observe) => observe()));
}

/** Never without the lane: whoever has it now may have stored newer versions, which what was read here must not replace. */
async function keepConsents(gateway: Gateway, lane: HeldLane, records: readonly SourceRecord[]): Promise<void> {
  for (const record of records) {
    await lane.need(gateway.active.configuration.leaseMs / 2);
    const resource = contentOf(record);
    const named = isJsonObject(resource["patient"]) ? parseReference(resource["patient"]["reference"]) : undefined;
    const { system, id } = record.ref;
    // A new version that names nobody any more still replaces the old one, where it then counts as a refusal.
    const known = gateway.consents.subjectOf(system, id);
    const subject = named?.type === "Patient" ? { system, type: "Patient", id: named.id } : known;
    if (named?.type !== "Patient") await reportUnattributable(gateway, record);
    if (!subject) continue;
    const version = record.version ?? record.changedAt ?? "";
    const news = await gateway.consents.put({ system, id, version, subject, resource });
    if (news) await acceptAgain(gateway, subject, `consent ${system}/${id}@${version}`);
  }
}

/** A consent that names no patient speaks for nobody; that it exists is on record, so that somebody can mend it. */
async function reportUnattributable(gateway: Gateway, record: SourceRecord): Promise<void> {
  const at = instant(gateway.clock.now());
  const header = {
    v: 1,
    kind: "failure",
    at,
    from: record.ref.system,
    resourceType: "Consent",
    actor: "sluice",
    cause: "consent-without-patient",
  } as const;
  const key = `consent.${hmacId(gateway.keys.id, "consent", record.ref.system, record.ref.id, record.version ?? "")}`;
  await gateway.store.audit.append([await entryFor(gateway, key, header, { source: record.ref }, undefined)]);
  gateway.log.warn({ system: record.ref.system }, "a Consent names no patient; see `npx sluice audit search`");
}
