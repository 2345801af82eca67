// What may go where, as data: one table a channel, made from a checked configuration by asking the gates themselves. The
// `check` command prints it.
import type { Channel, ChannelResource, Configuration, MappingField, MinimumPolicy } from "../core/configuration.ts";
import type { PurposeOfUse } from "../core/decision.ts";
import { childrenOfType } from "../fhir/elements.ts";
import { compileMapping } from "../mapping/compile.ts";
import { judgeAgreement, type AgreementUse } from "../policy/agreement.ts";
import { compileTree, type KeptObject } from "../policy/minimum-tree.ts";
import { durationText } from "../settings/duration.ts";

export interface SystemWords {
  readonly id: string;
  readonly name: string;
}

export interface AgreementWords {
  /** The system whose owner it binds. */
  readonly system: string;
  readonly outcome: "permit" | "deny";
  /** Why, in the gate's own words. */
  readonly text: string;
  readonly agreements: readonly { readonly id: string; readonly kind: string; readonly until: string }[];
}

export interface FieldWords {
  readonly crm: string;
  readonly fhir: string;
  /** `withheld`: the policy does not allow it; `not-this-way`: the mapping moves it only in the other direction. */
  readonly state: "moves" | "withheld" | "not-this-way";
  /** Conversion and rules: `code`, `required`, `clears when empty`. */
  readonly notes: readonly string[];
}

export interface ResourceTable {
  readonly type: string;
  /** CRM object of a sync; undefined on feeds. */
  readonly crmObject: string | undefined;
  readonly policy: string;
  readonly justification: string | undefined;
  /** Element paths that may leave; undefined = what the de-identification profile leaves. */
  readonly elements: readonly string[] | undefined;
  /** Mandatory and modifier elements that stay without being listed. */
  readonly keptBesides: readonly string[];
  readonly agreements: readonly AgreementWords[];
  readonly mapping: string | undefined;
  readonly fields: readonly FieldWords[];
}

export interface ChannelTable {
  readonly channel: string;
  readonly kind: Channel["kind"];
  readonly mode: Channel["mode"];
  readonly environment: string;
  readonly from: SystemWords;
  readonly to: SystemWords;
  readonly purpose: PurposeOfUse;
  /** What holds for a patient without, and with, a consent on file. */
  readonly consent: string;
  /** How old consent facts may be, and how often the source is asked, as durations: `15m`. */
  readonly consentMaxAge: string;
  readonly pollEvery: string;
  /** Above which the channel stops and asks a person; undefined on feeds, which write over nothing. */
  readonly brake: Channel["brake"] | undefined;
  /** False when a gate that does not depend on the patient is shut today. */
  readonly open: boolean;
  readonly resources: readonly ResourceTable[];
}

export const purposeWords: Readonly<Record<PurposeOfUse, string>> = {
  TREAT: "treatment",
  ETREAT: "emergency treatment",
  CAREMGT: "care management",
  HPAYMT: "payment",
  HOPERAT: "health care operations",
  HMARKT: "marketing",
  HRESCH: "research",
  PATRQT: "patient request",
  PUBHLTH: "public health",
};

export interface TableQuestion {
  readonly configuration: Configuration;
  /** Systems whose connector is a CRM's. */
  readonly crmSystems: ReadonlySet<string>;
  /** The day on which agreements are judged, milliseconds since 1970. */
  readonly at: number;
}

export function decisionTables(question: TableQuestion): readonly ChannelTable[] {
  return [...question.configuration.channels.values()].map((channel) => channelTable(channel, question));
}

function channelTable(channel: Channel, question: TableQuestion): ChannelTable {
  const { configuration } = question;
  const resources = channel.resources.map((resource) => resourceTable(channel, resource, question));
  const shut = resources.some(({ agreements }) => agreements.some(({ outcome }) => outcome === "deny"));
  return {
    channel: channel.id,
    kind: channel.kind,
    mode: channel.mode,
    environment: configuration.systems.get(channel.to)?.environment ?? "unknown",
    from: systemWords(channel.from, configuration),
    to: systemWords(channel.to, configuration),
    purpose: channel.purpose,
    consent: consentWords(channel, configuration),
    consentMaxAge: durationText(channel.consentMaxAgeMs),
    pollEvery: durationText(channel.pollEveryMs),
    brake: channel.kind === "sync" ? channel.brake : undefined,
    open: !shut,
    resources,
  };
}

function systemWords(id: string, configuration: Configuration): SystemWords {
  return { id, name: configuration.systems.get(id)?.name ?? id };
}

function consentWords({ purpose, requireConsent }: Channel, { implicitConsent }: Configuration): string {
  if (requireConsent) return "only with a consent on file that permits it; none on file: denied";
  const implicit = implicitConsent[purpose] === "permit" ? "permitted" : "denied";
  return `a consent on file decides, a refusal overrides; none on file: ${implicit}`;
}

function resourceTable(channel: Channel, resource: ChannelResource, question: TableQuestion): ResourceTable {
  const { configuration, crmSystems } = question;
  const direction = crmSystems.has(channel.to) ? "to-crm" : "to-fhir";
  const policy = configuration.policies.get(resource.policy);
  const mapping = resource.mapping === undefined ? undefined : configuration.mappings.get(resource.mapping);
  const elements = policy?.allow[resource.type];
  const kept = keptBy(policy, resource.type);
  return {
    type: resource.type,
    crmObject: mapping?.crm.object,
    policy: resource.policy,
    justification: policy?.justification,
    elements,
    keptBesides: keptBesides(kept, elements ?? []),
    agreements: agreementWords(channel, resource, question),
    mapping: mapping?.id,
    fields: mapping ? fieldWords(compileMapping(mapping).fields, direction, kept) : [],
  };
}

function agreementWords(
  channel: Channel,
  { type }: ChannelResource,
  { configuration, at }: TableQuestion,
): AgreementWords[] {
  const feed = channel.kind === "feed";
  const ends: readonly (readonly [string, AgreementUse])[] = [
    [channel.from, feed ? "de-identification-source" : "phi"],
    [channel.to, feed ? "de-identified-recipient" : "phi"],
  ];
  const { agreements, timeZone } = configuration;
  return ends.map(([system, use]) => {
    const found = judgeAgreement({
      agreements,
      system,
      purpose: channel.purpose,
      resourceType: type,
      at,
      timeZone,
      use,
    });
    const relied = agreements.filter(({ id }) => found.agreements.includes(id));
    const named = relied.map(({ id, kind, expires }) => ({ id, kind, until: expires ?? "evergreen" }));
    return { system, outcome: found.outcome, text: found.text, agreements: named };
  });
}

type Field = MappingField & { readonly element: string };

function fieldWords(
  fields: readonly Field[],
  direction: "to-fhir" | "to-crm",
  kept: KeptObject | undefined,
): FieldWords[] {
  return fields.map((field) => ({
    crm: field.crm,
    fhir: field.fhir,
    state: stateOf(field, direction, kept),
    notes: [
      ...(field.codec === undefined ? [] : [field.codec]),
      ...(field.required === true ? ["required"] : []),
      ...(field.onEmpty === "clear" ? ["clears when empty"] : []),
    ],
  }));
}

function stateOf(field: Field, direction: "to-fhir" | "to-crm", kept: KeptObject | undefined): FieldWords["state"] {
  if (field.direction !== undefined && field.direction !== "both" && field.direction !== direction)
    return "not-this-way";
  let at = kept;
  for (const name of field.element.split(".")) at = at?.kept.get(name)?.children;
  return at ? "moves" : "withheld";
}

/** The policy's list as the gate applies it: with the mandatory and modifier elements that it keeps besides. */
function keptBy(policy: MinimumPolicy | undefined, type: string): KeptObject | undefined {
  const paths = policy?.allow[type];
  return policy && paths ? compileTree(policy.id, type, childrenOfType(type), paths) : undefined;
}

/** Elements that nobody listed and that stay all the same: without them a record is invalid or means something else. */
function keptBesides(kept: KeptObject | undefined, listed: readonly string[]): string[] {
  const names = new Set(listed.map((path) => path.split(".")[0]));
  const needed = [...(kept?.kept.values() ?? [])]
    .filter((one) => one.needed && !names.has(one.name))
    .map(({ name }) => name);
  return needed.filter((name) => !names.has(name.replace(/[A-Z].*$/, "")));
}
