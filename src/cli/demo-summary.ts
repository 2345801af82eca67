// The demo's summary for people: per channel what was permitted, reduced and denied and why, what needs a person, what the
// marketing tool got beside its source, whether the audit log is whole, and the next command to type.
import { headerOf } from "../audit/write.ts";
import type { Running } from "../embedded.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { systemClock } from "../core/clock.ts";
import { openStates } from "../core/records.ts";
import type { Sandboxes } from "../sandboxes.ts";
import { snapshot, type Snapshot } from "./demo-snapshot.ts";
import { itemsOf } from "./exchanges.ts";
import { table } from "./output.ts";

export interface SummaryParts {
  readonly running: Running;
  readonly sandboxes: Sandboxes;
  readonly before: Snapshot;
  readonly audit: string;
  readonly place: string;
  readonly config: string;
  /** The sandboxes stay up. */
  readonly keeps: boolean;
}

export async function summarise(parts: SummaryParts): Promise<string> {
  const record = await readRecord(parts);
  return [
    "",
    "What the systems hold",
    holdings(parts),
    "What crossed, by channel",
    channels(parts, record),
    "What was refused, and why",
    refusals(record),
    "What needs a person",
    await items(parts),
    await waitingVisits(parts),
    "What the marketing tool got, beside its source",
    sideBySide(parts),
    parts.audit,
    "",
    "Next:",
    `  npx sluice exchanges list --data ${parts.place}/data`,
    `  npx sluice why --data ${parts.place}/data --system crm --id ${aContact(parts)}`,
    `  npx sluice audit verify --data ${parts.place}/data`,
    `  npx sluice check --config ${parts.config}`,
    ...kept(parts),
  ].join("\n");
}

function aContact({ sandboxes }: SummaryParts): string {
  const [first = ""] = sandboxes.crm.records("Contact").keys();
  return first;
}

/** While the sandboxes are up, they can be examined and live records explained. */
function kept(parts: SummaryParts): readonly string[] {
  const record = `--channel crm-to-ehr --type Contact --id ${aContact(parts)}`;
  const where = `--config ${parts.config} --data ${parts.place}/data`;
  return parts.keeps ? [`  npx sluice doctor ${where}`, `  npx sluice explain ${where} ${record}`] : [];
}

interface Counts {
  disclosed: number;
  reduced: number;
  denied: number;
  unchanged: number;
  withheld: Set<string>;
}

interface Recorded {
  readonly channels: ReadonlyMap<string, Counts>;
  /** `channel` + rule + citation → count. */
  readonly denials: ReadonlyMap<
    string,
    { readonly channel: string; readonly rule: string; readonly citation: string; count: number }
  >;
}

/** Everything below is read from the audit log itself, not from memory. */
async function readRecord({ running }: SummaryParts): Promise<Recorded> {
  const channels = new Map<string, Counts>();
  const denials = new Map<string, { channel: string; rule: string; citation: string; count: number }>();
  const seen = new Set<string>();
  for await (const batch of running.store.audit.read()) {
    for (const entry of batch.entries) {
      if (seen.has(entry.key)) continue;
      seen.add(entry.key);
      count(headerOf(entry), channels, denials);
    }
  }
  for (const one of await running.store.ledger.counts()) {
    if (one.state === "unchanged") countsOf(channels, one.channel).unchanged += one.count;
  }
  return { channels, denials };
}

function count(
  header: JsonObject,
  channels: Map<string, Counts>,
  denials: Map<string, { channel: string; rule: string; citation: string; count: number }>,
): void {
  const { channel, kind, rule, citation, withheld } = header;
  if (typeof channel !== "string") return;
  const counts = countsOf(channels, channel);
  const names = Array.isArray(withheld) ? (withheld as readonly Json[]).filter((name) => typeof name === "string") : [];
  if (kind === "disclosure") {
    counts.disclosed += 1;
    if (names.length > 0) counts.reduced += 1;
    for (const name of names) counts.withheld.add(name);
  }
  if (kind !== "denial") return;
  counts.denied += 1;
  const words = { channel, rule: textOf(rule), citation: textOf(citation) };
  const key = `${channel} ${words.rule}`;
  const before = denials.get(key) ?? { ...words, count: 0 };
  denials.set(key, { ...before, count: before.count + 1 });
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

function countsOf(channels: Map<string, Counts>, channel: string): Counts {
  const known = channels.get(channel);
  if (known) return known;
  const made = { disclosed: 0, reduced: 0, denied: 0, unchanged: 0, withheld: new Set<string>() };
  channels.set(channel, made);
  return made;
}

function holdings({ sandboxes, before }: SummaryParts): string {
  const now = snapshot(sandboxes);
  const lines = sandboxes.sink.received.reduce((sum, batch) => sum + batch.lines.length, 0);
  return table(
    ["system", "before", "now"],
    [
      [
        "CRM (Salesforce)",
        `${before.contacts} contacts, ${before.events} events`,
        `${now.contacts} contacts, ${now.events} events`,
      ],
      [
        "EHR (FHIR R4)",
        `${before.patients} patients, ${before.appointments} visits`,
        `${now.patients} patients, ${now.appointments} visits`,
      ],
      ["marketing tool", "nothing", `${lines} de-identified records in ${sandboxes.sink.received.length} batches`],
    ],
  );
}

function channels({ running }: SummaryParts, { channels: counted }: Recorded): string {
  const { configuration } = running.gateway.active;
  const rows = [...configuration.channels.values()].map((channel) => {
    const one = counted.get(channel.id);
    const name = (id: string): string => configuration.systems.get(id)?.name ?? id;
    const way = `${name(channel.from)} → ${name(channel.to)}, ${channel.purpose}`;
    return [way, one?.disclosed ?? 0, one?.reduced ?? 0, one?.denied ?? 0, one?.unchanged ?? 0];
  });
  return table(["channel", "permitted and sent", "of these reduced", "denied", "already equal"], rows);
}

function refusals({ denials }: Recorded): string {
  const rows = [...denials.values()]
    .sort((a, b) => b.count - a.count)
    .map((one) => [one.channel, one.count, one.rule, one.citation]);
  return rows.length === 0
    ? "nothing was refused"
    : table(["channel", "exchanges", "rule", "citation"], rows, [20, 12, 32, 60]);
}

async function items({ running }: SummaryParts): Promise<string> {
  const found = await itemsOf(running.store, systemClock.now());
  if (found.length === 0) return "nothing needs a person";
  return table(
    ["exchanges", "what is wrong", "who", "fix"],
    found.map((one) => [one.members, one.text, one.owner, one.fix]),
    [11, 40, 19, 60],
  );
}

async function waitingVisits({ running }: SummaryParts): Promise<string> {
  const counts = await running.store.ledger.counts();
  const open = counts.filter((one) => openStates.includes(one.state)).reduce((sum, one) => sum + one.count, 0);
  if (open === 0) return "";
  return `${open} visits wait for their person to be at the other side; they go on when the items above are mended\n`;
}

/** The first permitted patient, element by element. The pseudonym tells nobody which one; the demo finds it by content. */
function sideBySide({ sandboxes }: SummaryParts): string {
  const line = sandboxes.sink.received.flatMap((batch) => batch.lines).find((one) => one["resourceType"] === "Patient");
  const source = line && sandboxes.ehr.all("Patient").find((patient) => couldBe(patient, line));
  if (!line || !source) return "it got no patient: nobody permitted it";
  const names = [...new Set([...Object.keys(source), ...Object.keys(line)])].filter((name) => name !== "resourceType");
  return table(
    ["element", "in the EHR", "at the marketing tool"],
    names.map((name) => [name, short(source[name]), short(line[name])]),
    [18, 60, 60],
  );
}

function couldBe(patient: JsonObject, line: JsonObject): boolean {
  const year = typeof line["birthDate"] === "string" ? line["birthDate"] : undefined;
  const born = typeof patient["birthDate"] === "string" ? patient["birthDate"] : "";
  return patient["gender"] === line["gender"] && year !== undefined && born.startsWith(year);
}

function short(value: unknown): string {
  if (value === undefined) return "—";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 150 ? `${text.slice(0, 147)}…` : text;
}
