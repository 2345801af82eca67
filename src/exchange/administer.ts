// A person's action goes on record before it is done: who, what, why (45 CFR 164.312(b)).
import { makeEntry } from "../audit/write.ts";
import { instant, systemClock } from "../core/clock.ts";
import { newId, systemRandom } from "../core/ids.ts";
import type { Store } from "./ports.ts";

export interface Action {
  /** `sluice` or `operator:NAME`. */
  readonly actor: string;
  readonly action: string;
  readonly reason?: string | undefined;
  readonly kind?: "administration" | "access";
  readonly exchange?: string | undefined;
  readonly group?: string | undefined;
  readonly channel?: string | undefined;
  /** Pseudonym of the person whose data were looked at. */
  readonly person?: string | undefined;
  readonly configuration?: string | undefined;
}

export async function putOnRecord(store: Pick<Store, "audit">, done: Action): Promise<void> {
  const { actor, action, kind = "administration", group, reason, exchange, channel, person, configuration } = done;
  const header = {
    v: 1,
    kind,
    at: instant(systemClock.now()),
    actor,
    cause: group === undefined ? action : `${action} ${group}`,
    ...(exchange === undefined ? {} : { exchange }),
    ...(channel === undefined ? {} : { channel }),
    ...(person === undefined ? {} : { person }),
    ...(configuration === undefined ? {} : { configuration }),
    ...(reason === undefined ? {} : { reason }),
  } as const;
  const key = `${kind}.${newId(systemRandom)}`;
  await store.audit.append([makeEntry(key, header, undefined, undefined, systemRandom)]);
}
