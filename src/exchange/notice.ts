// Makes ledger rows of what a system reports: one row a channel, its id an HMAC of what it is about and of the mark
// that tells one change from the next.
import type { Channel, Keys } from "../core/configuration.ts";
import { canonicalJson } from "../core/json.ts";
import { hmacId } from "../core/ids.ts";
import type { NoticeKind, RecordRef, SourceRecord } from "../core/records.ts";
import { personQuery } from "./demographics.ts";
import { contentOf } from "./fetch.ts";
import type { Gateway } from "./gateway.ts";
import { birthDateLane, feedLane, ownLane } from "./lanes.ts";
import type { NewRow, Priority } from "./ports.ts";
import { isFhir, resourceOf } from "./run.ts";

export interface Notice {
  readonly source: RecordRef;
  readonly kind: NoticeKind;
  readonly mark: string;
  readonly priority: Priority;
  /** The record, if the report brought it: only its birth date's HMAC is used, for the lane. */
  readonly record?: SourceRecord;
}

export function noticeId(keys: Keys, row: Pick<NewRow, "channel" | "source" | "kind" | "mark">): string {
  const { system, type, id } = row.source;
  return hmacId(keys.id, "notice", row.channel, system, type, id, row.kind, row.mark);
}

/** The channels that carry this record: from its system, of its type, not off. */
export function channelsFor(gateway: Gateway, source: RecordRef): readonly Channel[] {
  return [...gateway.active.configuration.channels.values()].filter(
    (channel) =>
      channel.mode !== "off" &&
      channel.from === source.system &&
      resourceOf(gateway.active, channel, source) !== undefined,
  );
}

export async function rowFor(gateway: Gateway, channel: Channel, notice: Notice): Promise<NewRow> {
  const { source, kind, mark, priority } = notice;
  return {
    id: noticeId(gateway.keys, { channel: channel.id, source, kind, mark }),
    lane: channel.kind === "feed" ? feedLane(channel) : await laneFor(gateway, channel, notice),
    channel: channel.id,
    source,
    kind,
    mark,
    priority,
    acceptedAt: gateway.clock.now(),
    configuration: gateway.active.configuration.hash,
  };
}

/** The person's lane; of a record seen for the first time the lane in which it is resolved. */
async function laneFor(gateway: Gateway, channel: Channel, notice: Notice): Promise<string> {
  const known = await gateway.store.links.personOf(notice.source);
  if (known !== undefined) return known;
  const query = notice.record && demographicsOf(gateway, channel, notice.record);
  return query ? birthDateLane(gateway, query.birthDate) : ownLane(gateway, notice.source);
}

function demographicsOf(gateway: Gateway, channel: Channel, record: SourceRecord): ReturnType<typeof personQuery> {
  const resource = resourceOf(gateway.active, channel, record.ref);
  if (resource?.mapping === undefined) return undefined;
  const mapping = gateway.active.mapping(resource.mapping);
  if (mapping.declaration.subject !== "self") return undefined;
  try {
    const content = contentOf(record);
    const values = isFhir(gateway.active, record.ref.system) ? mapping.readFhir(content) : mapping.readCrm(content);
    return personQuery(mapping.writeMiddle(values));
  } catch {
    // A record that cannot be converted is accepted all the same; its run says what is wrong with it.
    return undefined;
  }
}

/**
 * The mark of a change. A version where the source has one; else the stamp, the hash of the mapped fields and a count,
 * since seconds collide and A→B→A repeats a hash.
 */
export async function markOf(
  gateway: Gateway,
  channel: Channel,
  record: SourceRecord,
): Promise<{ readonly mark: string; readonly seen?: { readonly n: number; readonly hash: string } }> {
  if (record.version !== undefined) return { mark: `v ${record.version}` };
  const hash = hmacId(gateway.keys.id, "observation", canonicalJson(contentOf(record)));
  const before = await gateway.store.ledger.observation(channel.id, record.ref);
  const n = before === undefined ? 0 : before.hash === hash ? before.n : before.n + 1;
  return { mark: `t ${record.changedAt ?? ""} ${hash} ${n}`, seen: { n, hash } };
}
