// Checks each channel against what it names: its two systems here, each resource type in its own file. A channel that could never
// release anything, or that could release too much, is refused here rather than at run time.
import type { ConnectorModule } from "../connector/contract.ts";
import { dangling, type ChannelContext, type ChannelRead } from "./channel-context.ts";
import { checkResources } from "./check-resources.ts";
import type { ReadConfiguration } from "./files.ts";
import { problem, type Problem } from "./problems.ts";
import type { Path } from "./yaml-file.ts";

export function checkChannel(channel: ChannelRead, context: ChannelContext): Problem[] {
  return [
    ...checkEnds(channel, context),
    ...checkResources(channel, context),
    ...checkConsents(channel, context),
    ...checkConsentSources(channel, context),
  ];
}

function checkEnds(channel: ChannelRead, { read, systems }: ChannelContext): Problem[] {
  const { from, to, kind } = channel.value;
  const at = (path: Path): string => channel.file.where(path);
  const problems = [...dangling("system", from, at(["from"]), read), ...dangling("system", to, at(["to"]), read)];
  if (from === to)
    problems.push(problem(at(["to"]), "a channel cannot lead back to its own source", "name two systems"));
  problems.push(...checkEnvironments(channel, read));
  const [source, target] = [systems.get(from), systems.get(to)];
  if (source && target && from !== to) problems.push(...checkKinds(kind, source.module, target.module, at));
  return problems;
}

/** ARCHITECTURE, What always holds 14. */
function checkEnvironments(channel: ChannelRead, read: ReadConfiguration): Problem[] {
  const { from, to } = channel.value;
  const [source, target] = [read.system.get(from)?.value.environment, read.system.get(to)?.value.environment];
  if (source === undefined || target === undefined || source === target) return [];
  const message = `sandbox and production may not meet in one channel: "${from}" is ${source}, "${to}" is ${target}`;
  return [problem(channel.file.where(["to"]), message, "connect two systems of the same environment")];
}

function checkKinds(
  kind: "sync" | "feed",
  source: ConnectorModule,
  target: ConnectorModule,
  at: (path: Path) => string,
): Problem[] {
  if (kind === "sync") {
    const pair = [source.kind, target.kind].sort().join(" and ");
    if (pair === "crm and fhir") return [];
    return [
      problem(
        at(["kind"]),
        `a sync channel joins a CRM and a FHIR system, not ${source.kind} and ${target.kind}`,
        "use kind: feed for a recipient",
      ),
    ];
  }
  const problems: Problem[] = [];
  if (source.kind !== "fhir")
    problems.push(problem(at(["from"]), "a feed is read from a FHIR system", "name the EHR as source"));
  if (!target.capabilities.delivers) {
    problems.push(
      problem(
        at(["to"]),
        `a feed needs a recipient, and ${target.name} systems take no batches`,
        "name a system whose connector is recipient",
      ),
    );
  }
  return problems;
}

/** Consents speak for the records of their own system: one that is neither end of the channel would never be heard. */
function checkConsentSources(channel: ChannelRead, { read }: ChannelContext): Problem[] {
  const { from, to } = channel.value;
  const deaf = [...read.system.values()].filter(({ id, value }) => value.consentSource && id !== from && id !== to);
  return deaf.map(({ id }) =>
    problem(
      channel.file.name,
      `consents are kept in "${id}", which is neither end of this channel: they would not be heard`,
      `let the channel begin or end at "${id}"`,
    ),
  );
}

function checkConsents(channel: ChannelRead, { read }: ChannelContext): Problem[] {
  const sources = [...read.system.values()].some(({ value }) => value.consentSource);
  if (!channel.value.requireConsent || sources || read.names.system.length !== read.system.size) return [];
  const message = "the channel can never release: it requires consents, and no system is a consent source";
  return [
    problem(
      channel.file.where(["requireConsent"]),
      message,
      "set consentSource: true on the EHR that holds the consents",
    ),
  ];
}
