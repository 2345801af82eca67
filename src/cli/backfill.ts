// `sluice backfill`: every record that the channel's source has is accepted once more, behind live work. It only asks; a
// running gateway does the work, and records that both sides agree on end unchanged.
import { systemClock } from "../core/clock.ts";
import { SluiceError } from "../core/errors.ts";
import { newId, systemRandom } from "../core/ids.ts";
import type { Cursor } from "../connector/contract.ts";
import { callSystem } from "../exchange/call-system.ts";
import type { Gateway } from "../exchange/gateway.ts";
import { rowFor } from "../exchange/notice.ts";
import { sourceType } from "../exchange/run.ts";
import { putOnRecord } from "../exchange/administer.ts";
import { operator } from "./operator.ts";
import { withoutQueue } from "./offline.ts";
import type { Place } from "./open.ts";
import { exitCodes, tell } from "./output.ts";

const pageSize = 500;

export async function backfill(
  options: Place & { readonly channel: string; readonly reason?: string },
): Promise<number> {
  return withoutQueue(options, async ({ gateway, store }) => {
    const channel = gateway.active.configuration.channels.get(options.channel);
    if (!channel) {
      const known = [...gateway.active.configuration.channels.keys()].join(", ");
      throw new SluiceError("usage-wrong", `there is no channel "${options.channel}"`, { hint: `channels: ${known}` });
    }
    const mark = `backfill ${newId(systemRandom)}`;
    await putOnRecord(store, { actor: operator(), action: "backfill", channel: channel.id, reason: options.reason });
    let accepted = 0;
    for (const resource of channel.resources) {
      const type = sourceType(gateway.active, channel, resource);
      accepted += await backfillType(gateway, channel.id, type, mark);
    }
    tell(`${accepted} records accepted for ${channel.id}; \`npx sluice exchanges list\` shows how they fare`);
    return exitCodes.done;
  });
}

async function backfillType(gateway: Gateway, channelId: string, type: string, mark: string): Promise<number> {
  const channel = gateway.active.configuration.channels.get(channelId);
  if (!channel) return 0;
  const guard = {
    requestId: newId(systemRandom),
    check({ unsafe }: { readonly unsafe: boolean }): void {
      if (unsafe) throw new SluiceError("not-sent", "a backfill only reads");
    },
  };
  const fields = [...gateway.active.configuration.mappings.keys()]
    .map((id) => gateway.active.mapping(id))
    .filter((mapping) => mapping.declaration.crm.object === type)
    .flatMap((mapping) => mapping.crmFields);
  const seen = new Set<string>();
  let cursor: Cursor | undefined;
  for (;;) {
    const from = cursor;
    const page = await callSystem(gateway, channel.from, guard, (connector) =>
      connector.poll({ type, cursor: from, fields: [...new Set(fields)], limit: pageSize }),
    );
    const fresh = page.records.filter((record) => !seen.has(record.ref.id) && seen.add(record.ref.id));
    const rows = await Promise.all(
      fresh.map((record) =>
        rowFor(gateway, channel, { source: record.ref, kind: "again", mark, priority: "backfill", record }),
      ),
    );
    if (rows.length > 0) await gateway.store.ledger.accept(rows);
    tell(`${type}: ${seen.size} records (${new Date(systemClock.now()).toISOString()})`);
    if (!page.more || page.cursor === cursor) return seen.size;
    cursor = page.cursor;
  }
}
