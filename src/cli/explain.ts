// `sluice explain`: what would become of one record, gate by gate, with the exact resource that would leave and the
// difference at the destination. From a file nothing is called; a live record is read, and nothing is written anywhere.
import { instant, systemClock, type Clock } from "../core/clock.ts";
import { SluiceError } from "../core/errors.ts";
import { newId, systemRandom } from "../core/ids.ts";
import { isJsonObject, parseJson, type Json, type JsonObject } from "../core/json.ts";
import { Phi } from "../core/phi.ts";
import type { SourceRecord } from "../core/records.ts";
import { dryRun, type DryRun } from "../exchange/dry-run.ts";
import type { Gateway } from "../exchange/gateway.ts";
import { sourceType } from "../exchange/run.ts";
import { operator } from "./operator.ts";
import { entryFor } from "../exchange/on-record.ts";
import { readInput } from "./input.ts";
import { withoutQueue } from "./offline.ts";
import type { Place } from "./open.ts";
import type { Overrides } from "../settings/files.ts";
import { exitCodes, print, printJson, table, tell } from "./output.ts";

export interface ExplainOptions extends Place {
  readonly channel: string;
  /** A file, or `-`. */
  readonly record?: string;
  readonly id?: string;
  /** Record type in the source's own words; needed with `--id` when the channel carries several. */
  readonly type?: string;
  readonly at?: string;
  readonly reveal?: boolean;
  readonly reason?: string;
  readonly json?: boolean;
  readonly overrides?: Overrides;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export async function explain(options: ExplainOptions): Promise<number> {
  if ((options.record === undefined) === (options.id === undefined)) {
    throw new SluiceError("usage-wrong", "say which record to explain", {
      hint: "--record FILE (or -), or --id RECORD for a live one",
    });
  }
  const clock = clockAt(options.at);
  return withoutQueue(
    { ...options, clock, mode: options.record === undefined ? "dry" : "file" },
    async ({ gateway, store }) => {
      const masked = mustMask(gateway, options);
      const request = await requestOf(gateway, options);
      if (options.reveal) await recordAccess(gateway, store, options, request.source);
      const result = await dryRun(gateway, request);
      if (options.json) printJson(masked ? maskAll(result) : result);
      else printResult(masked ? maskAll(result) : result, masked);
      return result.passes ? exitCodes.done : exitCodes.refused;
    },
  );
}

function clockAt(at: string | undefined): Clock {
  if (at === undefined) return systemClock;
  const time = Date.parse(at);
  if (Number.isNaN(time))
    throw new SluiceError("usage-wrong", "--at is no time", { hint: "for example --at 2026-11-25T10:00:00Z" });
  return { ...systemClock, now: () => time };
}

async function requestOf(gateway: Gateway, options: ExplainOptions): Promise<Parameters<typeof dryRun>[1]> {
  const channel = gateway.active.configuration.channels.get(options.channel);
  if (!channel) {
    const known = [...gateway.active.configuration.channels.keys()].join(", ");
    throw new SluiceError("usage-wrong", `there is no channel "${options.channel}"`, { hint: `channels: ${known}` });
  }
  const types = channel.resources.map((resource) => sourceType(gateway.active, channel, resource));
  const record = options.record === undefined ? undefined : await recordFrom(options.record);
  const type =
    options.type ?? (record && typeOf(record, types)) ?? (await typeById(gateway, channel.from, options.id, types));
  if (type === undefined || !types.includes(type)) {
    const words = type === undefined ? "the record's type is not known" : `the channel carries no ${type}`;
    throw new SluiceError("usage-wrong", words, {
      hint: `give --type: ${types.join(", ")}`,
    });
  }
  const id = options.id === undefined ? idOf(record) : gateway.system(channel.from).canonicalId(type, options.id);
  const source = { system: channel.from, type, id };
  const given: SourceRecord | undefined = record && {
    ref: source,
    version: undefined,
    changedAt: undefined,
    body: new Phi(record),
  };
  return { channel: channel.id, source, record: given, live: given === undefined };
}

async function recordFrom(file: string): Promise<JsonObject> {
  const value = parseJson(await readInput(file));
  if (isJsonObject(value)) return value;
  throw new SluiceError("input-malformed", "the record is no JSON object", {
    hint: "one CRM record or FHIR resource is wanted",
  });
}

function typeOf(record: JsonObject, types: readonly string[]): string | undefined {
  const attributes = isJsonObject(record["attributes"]) ? record["attributes"]["type"] : undefined;
  const named = [record["resourceType"], attributes].find((one) => typeof one === "string");
  if (typeof named === "string") return named;
  return types.find((type) => (type === "Event") === "StartDateTime" in record);
}

/** The type under which the source knows the id, by the ledger; with one type only there is nothing to ask. */
async function typeById(
  gateway: Gateway,
  system: string,
  id: string | undefined,
  types: readonly string[],
): Promise<string | undefined> {
  if (types.length === 1) return types[0];
  if (id === undefined) return undefined;
  const [row] = await gateway.store.ledger.find({ source: { system, id }, limit: 1 });
  return row?.source.type;
}

function idOf(record: JsonObject | undefined): string {
  const id = record?.["id"] ?? record?.["Id"];
  return typeof id === "string" ? id : "unsaved";
}

/** Values of a production system are masked unless a reason is given. */
function mustMask(gateway: Gateway, options: ExplainOptions): boolean {
  const channel = gateway.active.configuration.channels.get(options.channel);
  const systems = [channel?.from, channel?.to].map((id) => gateway.active.configuration.systems.get(id ?? ""));
  const production = options.id !== undefined && systems.some((system) => system?.environment === "production");
  if (options.reveal && !options.reason) {
    throw new SluiceError("usage-wrong", "--reveal needs a reason", {
      hint: "give it with --reason TEXT: it goes on record",
    });
  }
  return production && !options.reveal;
}

/** Whose values were shown, and why: the person in the header, the record sealed. */
async function recordAccess(
  gateway: Gateway,
  store: Pick<Gateway["store"], "audit">,
  options: ExplainOptions,
  source: SourceRecord["ref"],
): Promise<void> {
  const person = await gateway.store.links.personOf(source);
  const header = {
    v: 1,
    kind: "access",
    at: instant(systemClock.now()),
    actor: operator(),
    channel: options.channel,
    cause: "explain --reveal",
    ...(person === undefined ? {} : { person: gateway.personKeys.pseudonym(person) }),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
  } as const;
  const key = `access.${newId(systemRandom)}`;
  await store.audit.append([await entryFor(gateway, key, header, { source }, person)]);
}

function maskAll(result: DryRun): DryRun {
  return {
    ...result,
    source: result.source && (mask(result.source) as JsonObject),
    leaves: result.leaves && (mask(result.leaves) as JsonObject),
    becomes: Object.fromEntries(
      Object.entries(result.becomes).map(([name, one]) => [name, { ...one, value: mask(one.value) }]),
    ),
    destination: result.destination && {
      ...result.destination,
      differences: result.destination.differences.map((one) => ({ ...one, now: mask(one.now), then: mask(one.then) })),
    },
  };
}

const keptNames: ReadonlySet<string> = new Set(["resourceType", "system", "use", "status"]);

function mask(value: Json | undefined, name = ""): Json | undefined {
  if (value === undefined || value === null) return value;
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => mask(item, name) ?? null);
  if (isJsonObject(value))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mask(item, key)]));
  return keptNames.has(name) ? value : "•••";
}

function printResult(result: DryRun, masked: boolean): void {
  const gates = result.gates.map((gate) => [gate.gate, gate.outcome, gate.rule, gate.citation]);
  print(table(["gate", "says", "rule", "citation"], gates, [20, 16, 32, 44]));
  print(`\n${table(["of the source", "source", "leaves", "withheld"], columns(result), [22, 32, 42, 24])}`);
  if (!result.leaves) print("\nnothing leaves");
  else
    print(
      `\nwithheld by the policy: ${result.withheld.length === 0 ? "nothing that the mapping reads" : result.withheld.join(", ")}`,
    );
  if (result.leaves)
    print(
      `\n${result.passes ? "exactly this leaves" : "this would leave, were it not for the result below"}:\n${JSON.stringify(result.leaves, null, 2)}`,
    );
  if (result.destination) {
    print(`\nat the destination: ${result.destination.found}`);
    const rows = result.destination.differences.map((one) => [one.element, text(one.now), text(one.then)]);
    if (rows.length > 0) print(table(["element", "there now", "would be"], rows, [34, 40, 40]));
  }
  print(`\nresult: ${result.end}`);
  if (masked) tell('values of production systems are masked; --reveal --reason "why" shows them and goes on record');
}

/** One line a field or top-level element of the source: its value, what of it leaves, and why the rest does not. */
function columns(result: DryRun): readonly (readonly string[])[] {
  const { source = {}, leaves } = result;
  const names = Object.keys(source).filter((name) => name !== "attributes" && name !== "resourceType");
  if (source["resourceType"] === undefined) return names.map((name) => crmLine(result, name, source[name]));
  return names.map((name) => {
    const left = leaves?.[name];
    const parts = result.withheld.filter((path) => path === name || path.startsWith(`${name}.`));
    const whole = left === undefined ? "not mapped, or withheld whole" : parts.join(", ");
    return [name, text(source[name]), text(left), text(left) === text(source[name]) ? "" : whole];
  });
}

function crmLine(result: DryRun, name: string, value: Json | undefined): readonly string[] {
  const becomes = result.becomes[name];
  if (!becomes) return [name, text(value), "", "not mapped"];
  if (becomes.value !== undefined && becomes.value !== null)
    return [name, text(value), `${becomes.element}: ${text(becomes.value)}`, ""];
  return [name, text(value), "", value === null ? "empty" : "by the policy, or the other direction only"];
}

/** A record may hold control characters; a terminal must not obey them. */
function visible(shown: string): string {
  return shown.replaceAll(
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function text(value: Json | undefined): string {
  if (value === undefined) return "";
  const shown = typeof value === "string" ? value : JSON.stringify(value);
  return visible(shown.length > 160 ? `${shown.slice(0, 157)}…` : shown);
}
