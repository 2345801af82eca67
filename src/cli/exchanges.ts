// `sluice exchanges`: the ledger and its quarantine. What needs a person is one item a cause, with who can mend it, how,
// and one command for all its members.
import { instant, systemClock } from "../core/clock.ts";
import { SluiceError } from "../core/errors.ts";
import type { MirroredStore, Row, RowFilter, Store } from "../exchange/ports.ts";
import { openStates } from "../core/records.ts";
import { putOnRecord } from "../exchange/administer.ts";
import { stoppedChannels } from "../exchange/brake/state.ts";
import { operator } from "./operator.ts";
import { openLedger, type Place } from "./open.ts";
import { exitCodes, print, printJson, table, tell } from "./output.ts";

const hourMs = 3_600_000;

export interface ListOptions extends Place {
  readonly channel?: string;
  readonly state?: Row["state"];
  readonly json?: boolean;
  readonly limit: number;
}

export interface Item {
  readonly group: string;
  readonly owner: string;
  readonly text: string;
  readonly fix: string;
  readonly members: number;
}

/** Quarantine by cause, and what has waited for more than an hour for want of an answer. */
export async function itemsOf(store: MirroredStore, now: number): Promise<readonly Item[]> {
  const items = new Map<string, Item>();
  const add = (item: Omit<Item, "members">): void => {
    items.set(item.group, { ...item, members: (items.get(item.group)?.members ?? 0) + 1 });
  };
  for await (const row of rows(store, { states: ["quarantined"] })) if (row.problem) add(row.problem);
  for await (const row of rows(store, { states: openStates })) {
    if (row.waitingSince === 0 || now - row.waitingSince < hourMs || row.cause === "brake") continue;
    const group = `waiting:${row.channel}:${row.cause ?? "unknown"}`;
    const text = `waits for more than an hour: ${row.cause ?? "unknown"}`;
    add({ group, owner: "IT", text, fix: "run `npx sluice doctor`; it goes on by itself when the answer is there" });
  }
  return [...(await braked(store)), ...[...items.values()].sort((a, b) => b.members - a.members)];
}

/** Channels that their brake has stopped, each with what waits behind it. */
async function braked(store: Pick<Store, "registers" | "ledger">): Promise<readonly Item[]> {
  const stopped = await stoppedChannels(store);
  const counts = stopped.length === 0 ? [] : await store.ledger.counts();
  return stopped.map(({ channel, kind, limit }) => {
    const open = counts.filter((one) => one.channel === channel && openStates.includes(one.state));
    return {
      group: `brake:${channel}`,
      owner: "IT",
      text: `the brake stopped ${channel}: more than ${limit} ${kind} within an hour`,
      fix: `look with \`npx sluice brake preview --channel ${channel}\`, then brake apply, discard or restore`,
      members: open.reduce((sum, one) => sum + one.count, 0),
    };
  });
}

export async function* rows(store: MirroredStore, filter: RowFilter): AsyncIterable<Row> {
  const limit = 500;
  for (let after = filter.after; ;) {
    const page = await store.ledger.find({ ...filter, limit, ...(after && { after }) });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < limit) return;
    after = { acceptedAt: last.acceptedAt, id: last.id };
  }
}

export async function list(options: ListOptions): Promise<number> {
  const store = await openLedger(options);
  try {
    if (options.state) return await listRows(store, options, options.state);
    const counts = await store.ledger.counts();
    const items = await itemsOf(store, systemClock.now());
    if (options.json) {
      printJson({ counts, items });
      return exitCodes.done;
    }
    const shown = counts.filter((one) => !options.channel || one.channel === options.channel);
    print(
      table(
        ["channel", "state", "cause", "exchanges"],
        shown.map((one) => [one.channel, one.state, one.cause ?? "", one.count]),
      ),
    );
    if (items.length === 0) print("nothing needs a person");
    for (const item of items) {
      print(`\n${item.members} × ${item.text}\n  group: ${item.group}\n  who:   ${item.owner}\n  fix:   ${item.fix}`);
    }
    return exitCodes.done;
  } finally {
    await store.close();
  }
}

async function listRows(store: MirroredStore, options: ListOptions, state: Row["state"]): Promise<number> {
  const found = await store.ledger.find({
    states: [state],
    limit: options.limit,
    newestFirst: true,
    ...(options.channel && { channel: options.channel }),
  });
  if (options.json) for (const row of found) printJson(row);
  else print(table(["exchange", "channel", "record type", "state", "cause", "accepted"], found.map(summary)));
  return exitCodes.done;
}

function summary(row: Row): readonly string[] {
  return [row.id, row.channel, row.source.type, row.state, row.cause ?? "", instant(row.acceptedAt)];
}

export async function show(options: Place & { readonly json?: boolean }, id: string): Promise<number> {
  const store = await openLedger(options);
  try {
    const row = await store.ledger.get(id);
    if (!row) {
      throw new SluiceError("usage-wrong", "there is no exchange with this id", {
        hint: "see `npx sluice exchanges list --state done`",
      });
    }
    if (options.json) {
      printJson(row);
      return exitCodes.done;
    }
    print(describe(row));
    return exitCodes.done;
  } finally {
    await store.close();
  }
}

export function describe(row: Row): string {
  const lines: [string, string | number | undefined][] = [
    ["exchange", row.id],
    ["channel", row.channel],
    ["record", `${row.source.system}/${row.source.type}/${row.source.id}`],
    ["why it exists", row.kind],
    ["state", row.state],
    ["cause", row.cause],
    ["accepted", instant(row.acceptedAt)],
    ["configuration when queued", row.configuration],
    ["attempts", row.attempt],
    ["failures", row.failures],
    ["next try", row.next > 0 && openStates.includes(row.state) ? instant(row.next) : undefined],
    ["ended", row.endedAt > 0 ? instant(row.endedAt) : undefined],
    ["what is wrong", row.problem?.text],
    ["who can mend it", row.problem?.owner],
    ["fix", row.problem?.fix],
  ];
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name.padEnd(28)}${String(value)}`)
    .join("\n");
}

export interface ActOptions extends Place {
  readonly id?: string;
  readonly group?: string;
  readonly reason?: string;
}

export async function retry(options: ActOptions): Promise<number> {
  return act(options, "retry", (store, filter, now) => store.ledger.retry(filter, now));
}

export async function cancel(options: ActOptions): Promise<number> {
  if (!options.reason) {
    throw new SluiceError("usage-wrong", "a cancellation needs a reason", {
      hint: "give it with --reason TEXT: it goes on record",
    });
  }
  return act(options, "cancel", (store, filter, now) => store.ledger.cancelWhere(filter, "cancelled-by-a-person", now));
}

async function act(
  options: ActOptions,
  what: string,
  change: (store: MirroredStore, filter: RowFilter, now: number) => Promise<number>,
): Promise<number> {
  if ((options.id === undefined) === (options.group === undefined)) {
    throw new SluiceError("usage-wrong", `say what to ${what}`, {
      hint: "--id EXCHANGE or --group GROUP, as `exchanges list` prints it",
    });
  }
  const store = await openLedger(options);
  try {
    const now = systemClock.now();
    const filter = await filterOf(store, options);
    const { id: exchange, group, reason } = options;
    await putOnRecord(store, { actor: operator(), action: `exchanges ${what}`, reason, exchange, group });
    const count = await change(store, filter, now);
    tell(
      count === 0
        ? "nothing to do: no exchange of that name is in a state for it; see `npx sluice exchanges list`"
        : `${count} exchange${count === 1 ? "" : "s"} ${what === "retry" ? "queued again; a running gateway takes them up" : "cancelled"}`,
    );
    return count === 0 ? exitCodes.refused : exitCodes.done;
  } finally {
    await store.close();
  }
}

async function filterOf(store: MirroredStore, options: ActOptions): Promise<RowFilter> {
  if (options.group !== undefined) return { group: options.group };
  const row = await store.ledger.get(options.id ?? "");
  if (!row)
    throw new SluiceError("usage-wrong", "there is no exchange with this id", {
      hint: "see `npx sluice exchanges list`",
    });
  return { id: row.id };
}
