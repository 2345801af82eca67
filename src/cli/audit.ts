// `sluice audit`: verifies the chain, and searches it. Opening sealed parts is itself on record.
import { existsSync } from "node:fs";
import { verifyChain, type Verification } from "../audit/verify.ts";
import { detailOf, headerOf } from "../audit/write.ts";
import type { AuditEntry } from "../audit/entry.ts";
import { SluiceError } from "../core/errors.ts";
import { systemRandom } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import { compareKeys } from "../exchange/key-check.ts";
import { PersonKeys } from "../exchange/person-keys.ts";
import { mirroredHead } from "../embedded.ts";
import type { MirroredStore } from "../exchange/ports.ts";
import { putOnRecord } from "../exchange/administer.ts";
import { unseal } from "../core/seal.ts";
import { operator } from "./operator.ts";
import { openConfiguration, openKeys, openLedger, type Place } from "./open.ts";
import { exitCodes, print, printJson, tell } from "./output.ts";

export async function verify(options: Place & { readonly json?: boolean }): Promise<number> {
  const store = await openLedger(options);
  try {
    const result = await verifyStore(store);
    if (options.json) printJson(result);
    else print(verdict(result));
    if (result.entries > 0 && !hasMirror(store)) {
      tell("warning: the head kept outside the database is missing: an end that was cut off would not be seen");
      tell("fix: restore audit-head.json from the back-up; a running gateway writes it anew within a second");
    }
    return result.ok ? exitCodes.done : exitCodes.refused;
  } finally {
    await store.close();
  }
}

export async function verifyStore(store: MirroredStore): Promise<Verification> {
  let mirrored;
  try {
    mirrored = mirroredHead(store);
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== "audit-broken") throw error;
    return { ok: false, batches: 0, entries: 0, head: { n: 0, hash: "" }, problem: { n: 0, what: error.message } };
  }
  return verifyChain(store.audit.read(), () => store.audit.head(), mirrored);
}

function hasMirror(store: MirroredStore): boolean {
  return existsSync(store.mirrorPath);
}

export function verdict(result: Verification): string {
  if (result.ok)
    return `audit log whole: ${count(result.entries, "entry", "entries")} in ${count(result.batches, "batch", "batches")}, head ${result.head.hash}`;
  const { n, entry, what } = result.problem ?? { n: 0, entry: undefined, what: "unknown" };
  const where = entry === undefined ? `batch ${n}` : `batch ${n}, entry ${entry}`;
  return (
    `AUDIT LOG DAMAGED at ${where}: ${what}\n${result.entries} entries in ${result.batches} batches before it are whole\n` +
    "fix: keep this data directory as it is, tell the privacy officer, and compare with the last backup"
  );
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}

export interface SearchOptions extends Place {
  readonly exchange?: string;
  readonly channel?: string;
  readonly kind?: string;
  readonly system?: string;
  readonly id?: string;
  readonly since?: string;
  readonly until?: string;
  readonly open?: boolean;
  readonly reason?: string;
  readonly limit: number;
}

/** JSON lines, oldest first. */
export async function search(options: SearchOptions): Promise<number> {
  checkSearch(options);
  const store = await openLedger(options);
  try {
    const keys = options.open || options.id !== undefined ? await keysOf(options) : undefined;
    if (keys) await compareKeys(store.blobs, keys);
    const person = await personOf(store, keys, options);
    if (options.open) await recordAccess(store, options, person);
    const seen = new Set<string>();
    let found = 0;
    for await (const batch of store.audit.read()) {
      for (const entry of batch.entries) {
        if (seen.has(entry.key)) continue;
        const header = headerOf(entry);
        if (!matches(header, options, person)) continue;
        seen.add(entry.key);
        const detail = options.open && keys ? await openDetail(store, keys, header, entry) : undefined;
        printJson({ batch: batch.n, key: entry.key, ...header, ...(detail && { detail }) });
        found += 1;
        if (found >= options.limit) {
          tell(`stopped at ${found} entries; --limit N shows more`);
          return exitCodes.done;
        }
      }
    }
    if (found === 0) tell("no entry matches");
    return exitCodes.done;
  } finally {
    await store.close();
  }
}

/** A filter that can match nothing is a mistake, not an answer. */
function checkSearch({ system, id, since, until }: SearchOptions): void {
  if ((system === undefined) !== (id === undefined)) {
    throw new SluiceError("usage-wrong", "--system and --id go together", {
      hint: "for example --system ehr --id 123",
    });
  }
  for (const time of [since, until]) {
    if (time === undefined || /^\d{4}-\d\d-\d\d(T[\d:.]+Z)?$/.test(time)) continue;
    throw new SluiceError("usage-wrong", `${time} is no time`, { hint: "2026-11-25 or 2026-11-25T10:00:00Z" });
  }
}

async function keysOf(options: SearchOptions): Promise<Awaited<ReturnType<typeof openKeys>>> {
  return openKeys(options.config, await openConfiguration(options.config, { secrets: "lenient" }));
}

type LoadedKeys = Awaited<ReturnType<typeof openKeys>>;

async function personOf(
  store: MirroredStore,
  keys: LoadedKeys | undefined,
  options: SearchOptions,
): Promise<string | undefined> {
  if (options.id === undefined || options.system === undefined || !keys) return undefined;
  const [row] = await store.ledger.find({ source: { system: options.system, id: options.id }, limit: 1 });
  const type = row?.source.type ?? "Patient";
  const person = await store.links.personOf({ system: options.system, type, id: options.id });
  if (person === undefined) {
    throw new SluiceError("usage-wrong", "this record belongs to no person that Sluice knows", {
      hint: "try `npx sluice why`",
    });
  }
  return new PersonKeys(store.vault, keys, systemRandom).pseudonym(person);
}

function matches(header: JsonObject, options: SearchOptions, person: string | undefined): boolean {
  const at = typeof header["at"] === "string" ? header["at"] : "";
  return (
    (options.exchange === undefined || header["exchange"] === options.exchange) &&
    (options.channel === undefined || header["channel"] === options.channel) &&
    (options.kind === undefined || header["kind"] === options.kind) &&
    (person === undefined || header["person"] === person) &&
    (options.since === undefined || at >= options.since) &&
    (options.until === undefined || at <= options.until)
  );
}

async function openDetail(
  store: MirroredStore,
  keys: LoadedKeys,
  header: JsonObject,
  entry: AuditEntry,
): Promise<JsonObject | undefined> {
  const { person } = header;
  if (typeof person !== "string" || entry.sealed === "") return undefined;
  const wrapped = await store.vault.personKey(person);
  return wrapped === undefined ? undefined : detailOf(entry, unseal(keys.data, wrapped, person));
}

async function recordAccess(store: MirroredStore, options: SearchOptions, person: string | undefined): Promise<void> {
  if (!options.reason) {
    throw new SluiceError("usage-wrong", "opening sealed parts needs a reason", {
      hint: "give it with --reason TEXT: it goes on record",
    });
  }
  const { reason } = options;
  await putOnRecord(store, { actor: operator(), kind: "access", action: "audit search --open", reason, person });
}
