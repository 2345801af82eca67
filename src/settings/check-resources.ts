// Checks what a channel says of each resource type: the mapping and policy it names must exist, fit its two systems, and
// be covered by agreements.
import type { Agreement } from "../core/configuration.ts";
import { safeHarborTypes } from "../deidentify/safe-harbor.ts";
import { judgeAgreement, type AgreementUse } from "../policy/agreement.ts";
import { dangling, type ChannelContext, type ChannelRead } from "./channel-context.ts";
import { nameHint } from "./closest.ts";
import type { Read, ReadConfiguration } from "./files.ts";
import { problem, type Problem } from "./problems.ts";

/** The only way in which data may go to a feed: 45 CFR 164.514(b)(2). */
export const safeHarbor = "safe-harbor";

type ChannelResource = ChannelRead["value"]["resources"][number];

export function checkResources(channel: ChannelRead, context: ChannelContext): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const [index, resource] of channel.value.resources.entries()) {
    const at = (name: string): string => channel.file.where(["resources", index, name]);
    if (seen.has(resource.type))
      problems.push(problem(at("type"), `${resource.type} is listed twice`, "one entry a type"));
    seen.add(resource.type);
    problems.push(
      ...(channel.value.kind === "sync"
        ? checkSync(channel, resource, at, context)
        : checkFeed(channel, resource, at, context)),
    );
    problems.push(...checkAgreements(channel, resource, at, context));
  }
  return problems;
}

function checkSync(
  channel: ChannelRead,
  resource: ChannelResource,
  at: (name: string) => string,
  context: ChannelContext,
): Problem[] {
  const problems = [...checkMapping(channel, resource, at, context), ...checkPolicy(channel, resource, at, context)];
  // 45 CFR 164.508(a)(3): marketing needs an authorization for identified data, which a sync channel cannot show.
  if (channel.value.purpose === "HMARKT") {
    const message = "identified data cannot be sent for marketing (HMARKT)";
    problems.push(problem(channel.file.where(["purpose"]), message, `use kind: feed with policy: ${safeHarbor}`));
  }
  return problems;
}

function checkMapping(
  channel: ChannelRead,
  resource: ChannelResource,
  at: (name: string) => string,
  { read, systems }: ChannelContext,
): Problem[] {
  if (resource.mapping === undefined) {
    const fitting = [...read.mapping.values()]
      .filter((mapping) => mapping.value.fhir.type === resource.type)
      .map(({ id }) => id);
    const hint =
      fitting.length > 0 ? `mapping: ${fitting.join(" or ")}` : `write a mapping for ${resource.type} under mappings/`;
    return [problem(at("type"), `a sync channel needs a mapping for ${resource.type}`, hint)];
  }
  const mapping = read.mapping.get(resource.mapping);
  if (!mapping) return dangling("mapping", resource.mapping, at("mapping"), read);
  const problems: Problem[] = [];
  if (mapping.value.fhir.type !== resource.type) {
    problems.push(
      problem(
        at("mapping"),
        `mapping "${mapping.id}" makes ${mapping.value.fhir.type}, not ${resource.type}`,
        undefined,
      ),
    );
  }
  const modules = [channel.value.from, channel.value.to]
    .map((id) => systems.get(id)?.module)
    .filter((module) => module !== undefined);
  problems.push(...checkLinkField(channel, mapping, at("mapping"), systems));
  const spoken = { crm: mapping.value.crm.object, fhir: mapping.value.fhir.type };
  for (const module of modules) {
    if (module.kind === "recipient" || module.capabilities.types.includes(spoken[module.kind])) continue;
    const message = `the ${module.name} connector does not speak ${spoken[module.kind]}, which mapping "${mapping.id}" names`;
    problems.push(problem(at("mapping"), message, nameHint(spoken[module.kind], module.capabilities.types)));
  }
  return problems;
}

/** A CRM connector that is told its link field must be told the mapping's: otherwise records would never be found again. */
function checkLinkField(
  channel: ChannelRead,
  mapping: Read<"mapping">,
  where: string,
  systems: ChannelContext["systems"],
): Problem[] {
  const wanted = mapping.value.crm.linkField;
  return [channel.value.from, channel.value.to].flatMap((id) => {
    const own = systems.get(id)?.connection["linkField"];
    if (typeof own !== "string" || own === wanted) return [];
    return [
      problem(
        where,
        `mapping "${mapping.id}" links by ${wanted}, system "${id}" by ${own}`,
        "use the same linkField in both",
      ),
    ];
  });
}

/** 45 CFR 164.514(d): the allow-list must be this recipient's, for this purpose and type. */
function checkPolicy(
  channel: ChannelRead,
  resource: ChannelResource,
  at: (name: string) => string,
  { read }: ChannelContext,
): Problem[] {
  if (resource.policy === safeHarbor) {
    return [
      problem(
        at("policy"),
        `${safeHarbor} is for feeds; a sync channel needs a minimum-necessary policy`,
        "name a file under policies/",
      ),
    ];
  }
  const policy = read.policy.get(resource.policy);
  if (!policy) return dangling("policy", resource.policy, at("policy"), read);
  const { recipient, purposes, allow } = policy.value;
  const { to, purpose } = channel.value;
  const problems: Problem[] = [];
  if (recipient !== to) {
    problems.push(
      problem(
        at("policy"),
        `policy "${policy.id}" is for the recipient "${recipient}", the channel leads to "${to}"`,
        `write a policy with recipient: ${to}`,
      ),
    );
  }
  if (!purposes.includes(purpose)) {
    problems.push(
      problem(
        at("policy"),
        `policy "${policy.id}" does not cover the purpose ${purpose}`,
        `it covers ${purposes.join(", ")}`,
      ),
    );
  }
  if (!Object.hasOwn(allow, resource.type)) {
    problems.push(
      problem(
        at("policy"),
        `policy "${policy.id}" allows nothing of ${resource.type}: the channel can never release it`,
        `add ${resource.type} to its allow list, with a justification`,
      ),
    );
  }
  return problems;
}

function checkFeed(
  channel: ChannelRead,
  resource: ChannelResource,
  at: (name: string) => string,
  { read, systems }: ChannelContext,
): Problem[] {
  const problems: Problem[] = [];
  if (resource.mapping !== undefined) problems.push(problem(at("mapping"), "a feed takes no mapping", "leave it away"));
  if (resource.policy !== safeHarbor) {
    const hint = read.names.policy.includes(resource.policy)
      ? "identified data does not go to a feed"
      : nameHint(resource.policy, [safeHarbor]);
    problems.push(problem(at("policy"), `a feed needs policy: ${safeHarbor}`, hint));
  }
  if (!safeHarborTypes.includes(resource.type)) {
    problems.push(
      problem(
        at("type"),
        `${safeHarbor} has no profile for ${resource.type}: the feed can never release it`,
        nameHint(resource.type, safeHarborTypes),
      ),
    );
  }
  const source = systems.get(channel.value.from)?.module;
  if (source?.kind === "fhir" && !source.capabilities.types.includes(resource.type)) {
    problems.push(
      problem(
        at("type"),
        `the ${source.name} connector does not speak ${resource.type}`,
        nameHint(resource.type, source.capabilities.types),
      ),
    );
  }
  return problems;
}

/**
 * Both ends need an agreement (45 CFR 164.502(e), 164.504(e)); de-identifying is itself a use of PHI that somebody must permit
 * (164.502(d)(1)). Asked of the gate itself, as if every agreement had no end: dates are judged at run time.
 */
function checkAgreements(
  channel: ChannelRead,
  resource: ChannelResource,
  at: (name: string) => string,
  { read }: ChannelContext,
): Problem[] {
  if (unreadable(read)) return [];
  const { kind, from, to, purpose } = channel.value;
  const agreements = [...read.agreement.values()].map(({ id, value }) => evergreen(id, value));
  const ends: readonly (readonly [string, AgreementUse])[] = [
    [from, kind === "feed" ? "de-identification-source" : "phi"],
    [to, kind === "feed" ? "de-identified-recipient" : "phi"],
  ];
  return ends.flatMap(([system, use]) => {
    if (!read.names.system.includes(system)) return [];
    const question = { agreements, system, purpose, resourceType: resource.type, at: 0, timeZone: "UTC", use };
    const finding = judgeAgreement(question);
    if (finding.outcome === "permit") return [];
    const message = `the channel can never release ${resource.type} for ${purpose}: for "${system}", ${finding.text}`;
    return [problem(at("type"), message, agreementHint(system, agreements))];
  });
}

function agreementHint(system: string, agreements: readonly Agreement[]): string {
  const bound = agreements.filter((agreement) => agreement.systems.includes(system)).map(({ id }) => id);
  if (bound.length === 0) return `write an agreement with systems: [${system}]`;
  return `agreements with "${system}": ${bound.join(", ")}; check their kind, purposes, resources and deidentificationPermitted`;
}

function evergreen(id: string, value: Read<"agreement">["value"]): Agreement {
  const { kind, systems, purposes, resources, signedBy, deidentificationPermitted } = value;
  return { id, kind, systems, purposes, resources, signedBy, deidentificationPermitted, effective: "1900-01-01" };
}

/** An agreement file that could not be read may be the one that covers. */
function unreadable(read: ReadConfiguration): boolean {
  return read.names.agreement.length !== read.agreement.size;
}
