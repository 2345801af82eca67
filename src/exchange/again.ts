// When a fact changes so that a denied person or channel could be permitted, the newest notice of each denied record is
// accepted again, once a change, on sync channels. Feeds are never made up for.
import { refKey, type RecordRef } from "../core/records.ts";
import { acceptRows } from "./accept.ts";
import type { Gateway } from "./gateway.ts";
import { noticeId } from "./notice.ts";
import type { NewRow, Row, RowFilter } from "./ports.ts";

const pageSize = 1_000;

/** @param reason Names the change: the same change asks once. */
export async function acceptAgain(gateway: Gateway, subject: RecordRef, reason: string): Promise<number> {
  const person = await gateway.store.links.personOf(subject);
  return person === undefined ? 0 : acceptDenied(gateway, { lane: person }, reason);
}

/** Of every denied record that the filter finds, the newest notice. */
export async function acceptDenied(
  gateway: Gateway,
  filter: Pick<RowFilter, "lane" | "channel">,
  reason: string,
): Promise<number> {
  const newest = new Map<string, Row>();
  for await (const row of deniedRows(gateway, filter)) {
    const key = `${row.channel} ${refKey(row.source)}`;
    const before = newest.get(key);
    if (!before || before.acceptedAt <= row.acceptedAt) newest.set(key, row);
  }
  const rows: NewRow[] = [];
  for (const row of newest.values()) {
    const channel = gateway.active.configuration.channels.get(row.channel);
    if (channel?.kind === "sync" && channel.mode !== "off") rows.push(againRow(gateway, row, reason));
  }
  return acceptRows(gateway, rows);
}

async function* deniedRows(gateway: Gateway, filter: Pick<RowFilter, "lane" | "channel">): AsyncIterable<Row> {
  let after: RowFilter["after"];
  for (;;) {
    const page = await gateway.store.ledger.find({
      ...filter,
      states: ["denied"],
      limit: pageSize,
      ...(after && { after }),
    });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < pageSize) return;
    after = { acceptedAt: last.acceptedAt, id: last.id };
  }
}

function againRow(gateway: Gateway, row: Row, mark: string): NewRow {
  return {
    id: noticeId(gateway.keys, { channel: row.channel, source: row.source, kind: "again", mark }),
    lane: row.lane,
    channel: row.channel,
    source: row.source,
    kind: "again",
    mark,
    priority: row.priority,
    acceptedAt: gateway.clock.now(),
    configuration: gateway.active.configuration.hash,
  };
}
