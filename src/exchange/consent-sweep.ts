// A Consent deleted at its source is in no poll of changes, so it would permit (or refuse) for ever. Now and then every
// consent that is in the book and no longer listed at the source is read by its id; one that is gone counts no more.
import type { Cursor } from "../connector/contract.ts";
import type { RequestGuard } from "../connector/guard.ts";
import { SluiceError } from "../core/errors.ts";
import { newId } from "../core/ids.ts";
import { acceptAgain } from "./again.ts";
import { callSystem } from "./call-system.ts";
import type { Gateway } from "./gateway.ts";

const pageSize = 500;

/** Answers how many consents were found gone. */
export async function sweepConsents(gateway: Gateway, system: string): Promise<number> {
  if (gateway.pauses.has(system) || gateway.governors.isShut(system)) return 0;
  // Taken before the listing: what arrives meanwhile is in the book rightly.
  const before = gateway.consents.idsFrom(system);
  const listed = await listedAt(gateway, system);
  let gone = 0;
  for (const { id, subject, version } of before) {
    if (listed.has(id)) continue;
    const record = await callSystem(gateway, system, reading(gateway), (connector) =>
      connector.read("Consent", id, [], true),
    );
    if (record) continue;
    await gateway.consents.put({ system, id, version: `${version} gone`, subject, resource: undefined });
    await acceptAgain(gateway, subject, `consent ${system}/${id} gone`);
    gone += 1;
  }
  return gone;
}

async function listedAt(gateway: Gateway, system: string): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (let cursor: Cursor | undefined; ;) {
    const from = cursor;
    const page = await callSystem(gateway, system, reading(gateway), (connector) =>
      connector.poll({ type: "Consent", cursor: from, fields: [], limit: pageSize }),
    );
    for (const record of page.records) ids.add(record.ref.id);
    if (!page.more || page.cursor === cursor) return ids;
    cursor = page.cursor;
  }
}

function reading(gateway: Gateway): RequestGuard {
  return {
    requestId: newId(gateway.random),
    channel: "consent sweep",
    check({ unsafe }) {
      if (unsafe) throw new SluiceError("not-sent", "a sweep only reads");
    },
  };
}
