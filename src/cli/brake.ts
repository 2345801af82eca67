// `sluice brake`: which channels the brake has stopped, what waits behind it, and a person's decision about it. It only
// decides; a running gateway carries it out.
import { instant, systemClock } from "../core/clock.ts";
import { brakeKinds, type Channel, type Configuration } from "../core/configuration.ts";
import { SluiceError } from "../core/errors.ts";
import { refKey } from "../core/records.ts";
import { decide, needWayBack, stoppedBy } from "../exchange/brake/decide.ts";
import { inLastHour, limitOf } from "../exchange/brake/limits.ts";
import { previewBrake, type Preview } from "../exchange/brake/preview.ts";
import { nothingCounted, registerOf, stateOf, type Choice } from "../exchange/brake/state.ts";
import type { Store } from "../exchange/ports.ts";
import { compile } from "../main.ts";
import { withoutQueue } from "./offline.ts";
import { openConfiguration, openLedger, type OpenOptions, type Place } from "./open.ts";
import { operator } from "./operator.ts";
import { exitCodes, print, printJson, table, tell } from "./output.ts";

export interface BrakeOptions extends Place, OpenOptions {
  readonly channel: string;
  readonly json?: boolean;
}

interface Line {
  readonly channel: string;
  readonly kind: string;
  readonly lastHour: number;
  readonly limit: number;
  /** Since when the channel is stopped for this kind. */
  readonly stopped?: string;
}

export async function list(options: Omit<BrakeOptions, "channel">): Promise<number> {
  const { configuration } = await openConfiguration(options.config, { ...options, secrets: "lenient" });
  const store = await openLedger(options);
  try {
    const lines: Line[] = [];
    for (const channel of configuration.channels.values())
      if (channel.kind === "sync") lines.push(...(await linesOf(store, channel)));
    if (options.json) for (const line of lines) printJson(line);
    else {
      const rows = lines.map(({ channel, kind, lastHour, limit, stopped }) => {
        return [channel, kind, lastHour, limit, stopped === undefined ? "" : `stopped since ${stopped}`];
      });
      print(table(["channel", "records with", "last hour", "limit", ""], rows));
    }
    return lines.some((line) => line.stopped !== undefined) ? exitCodes.refused : exitCodes.done;
  } finally {
    await store.close();
  }
}

async function linesOf(store: Pick<Store, "registers">, channel: Channel): Promise<readonly Line[]> {
  const { kinds, stopped } = stateOf(await store.registers.get(registerOf(channel.id)));
  const now = systemClock.now();
  return brakeKinds.map((kind) => {
    const counted = kinds[kind] ?? nothingCounted;
    const line = { lastHour: inLastHour(counted, now), limit: limitOf(counted, channel.brake[kind], now) };
    const here = stopped?.kind === kind ? { stopped: instant(stopped.since) } : {};
    return { channel: channel.id, kind, ...line, ...here };
  });
}

export async function preview(options: BrakeOptions & { readonly limit: number }): Promise<number> {
  return withoutQueue({ ...options, mode: "dry" }, async ({ gateway }) => {
    needChannel(gateway.active.configuration, options.channel);
    const found = await previewBrake(gateway, options.channel, options.limit);
    if (options.json) printJson(found);
    else printPreview(options.channel, found);
    return exitCodes.done;
  });
}

function printPreview(channel: string, found: Preview): void {
  const { stopped, exchanges, records, looked, counts, counted } = found;
  if (stopped) {
    const { kind, count, limit, since } = stopped;
    print(`${channel} is stopped since ${instant(since)}: ${count} ${kind} within an hour, the limit is ${limit}`);
  } else print(`${channel} is not stopped`);
  const rest = looked < records ? `; looked at ${looked}, \`--limit ${records}\` looks at all` : "";
  print(`${exchanges} exchanges of ${records} records wait${rest}`);
  const kinds = brakeKinds.filter((kind) => counts[kind] !== undefined);
  print(
    kinds.length === 0 ? "none of them is counted" : kinds.map((kind) => `${counts[kind] ?? 0} ${kind}`).join(", "),
  );
  const rows = counted.map(({ record, destination, changes }) => {
    const what = changes.map(({ kind, element }) => `${element} (${kind})`).join(", ");
    return [refKey(record), refKey(destination), what];
  });
  if (rows.length > 0) print(table(["changed record", "would change", "elements"], rows));
  if (rows.length > 0) tell(`values of one: \`npx sluice explain --channel ${channel} --id RECORD\``);
  if (stopped) tell(`decide: \`npx sluice brake apply|discard|restore --channel ${channel} --reason TEXT\``);
}

export interface DecideOptions extends BrakeOptions {
  readonly reason?: string;
}

const become: Readonly<Record<Choice, string>> = {
  apply: "what was accepted until now is written",
  discard: "what was accepted until now is dropped; both sides stay as they are",
  restore: "the source is given its values back",
};

export const apply = (options: DecideOptions): Promise<number> => choose(options, "apply");
export const discard = (options: DecideOptions): Promise<number> => choose(options, "discard");
export const restore = (options: DecideOptions): Promise<number> => choose(options, "restore");

async function choose(options: DecideOptions, choice: Choice): Promise<number> {
  const { channel, reason } = options;
  if (!reason) {
    throw new SluiceError("usage-wrong", "a decision needs a reason", {
      hint: "give it with --reason TEXT: it goes on record",
    });
  }
  const store = await openLedger(options);
  try {
    await stoppedBy(store, channel);
    if (choice === "restore") await checkWayBack(options);
    const now = systemClock.now();
    const kind = await decide(store, { channel, choice, actor: operator(), reason, now });
    tell(`${kind}: ${become[choice]}; a running gateway goes on with ${channel}`);
    return exitCodes.done;
  } finally {
    await store.close();
  }
}

async function checkWayBack(options: DecideOptions): Promise<void> {
  const { configuration, connectors } = await openConfiguration(options.config, { ...options, secrets: "lenient" });
  needWayBack(compile(configuration, connectors), needChannel(configuration, options.channel));
}

function needChannel({ channels }: Configuration, id: string): Channel {
  const channel = channels.get(id);
  if (channel) return channel;
  throw new SluiceError("usage-wrong", `there is no channel "${id}"`, {
    hint: `channels: ${[...channels.keys()].join(", ")}`,
  });
}
