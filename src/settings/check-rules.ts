// Checks that no two rules claim the same thing, and that agreements and policies name what exists.
import type { Read, ReadConfiguration } from "./files.ts";
import { dangling } from "./channel-context.ts";
import { safeHarbor } from "./check-resources.ts";
import type { CheckedSystem, Findings } from "./check-systems.ts";
import { durationText, parseDuration } from "./duration.ts";
import { problem, type Problem } from "./problems.ts";

const leastMarginMs = 1_000;

export function checkRules(
  read: ReadConfiguration,
  systems: ReadonlyMap<string, CheckedSystem>,
  { problems, warnings }: Findings,
): void {
  for (const agreement of read.agreement.values()) problems.push(...checkAgreementFile(agreement, read));
  for (const policy of read.policy.values()) problems.push(...checkPolicyFile(policy, read));
  problems.push(...overlaps([...read.channel.values()], "channel", channelClaims));
  problems.push(...overlaps([...read.policy.values()], "policy", policyClaims));
  for (const { read: system, module } of systems.values()) {
    problems.push(...leaseOutlasts(system, read));
    if (!system.value.consentSource || module.kind === "fhir") continue;
    problems.push(
      problem(
        system.file.where(["consentSource"]),
        "only a FHIR system can be a source of consents",
        "set it on the EHR",
      ),
    );
  }
  warnings.push(...unused(read));
}

/** A lane must be held for longer than a request may take, or no request could ever be made. */
function leaseOutlasts(system: Read<"system">, { sluice }: ReadConfiguration): Problem[] {
  const lease = parseDuration(sluice?.value.lease ?? "") ?? Infinity;
  const timeout = parseDuration(system.value.timeout) ?? 0;
  if (lease >= timeout + leastMarginMs) return [];
  const message = `the timeout of system "${system.id}" (${durationText(timeout)}) is too long for the lease (${durationText(lease)})`;
  return [
    problem(system.file.where(["timeout"]), message, "make the lease in sluice.yaml longer than every timeout by 1s"),
  ];
}

function checkAgreementFile({ id, file, value }: Read<"agreement">, read: ReadConfiguration): Problem[] {
  const problems = value.systems.flatMap((system, index) =>
    dangling("system", system, file.where(["systems", index]), read),
  );
  if (value.expires !== undefined && value.expires < value.effective) {
    problems.push(
      problem(file.where(["expires"]), `agreement "${id}" expires before it takes effect`, "check the two dates"),
    );
  }
  // 45 CFR 164.504(e)(2), 164.514(e)(4): a contract binds two parties; the covered entity's own decision has two persons too.
  if (new Set(value.signedBy.map((name) => name.trim())).size < 2) {
    const message = `agreement "${id}" lacks a signature and is not in force`;
    problems.push(
      problem(
        file.where(["signedBy"]),
        message,
        "name who signed for each side; two persons for the entity's own decision",
      ),
    );
  }
  return problems;
}

function checkPolicyFile({ id, file, value }: Read<"policy">, read: ReadConfiguration): Problem[] {
  const problems = dangling("system", value.recipient, file.where(["recipient"]), read);
  if (id === safeHarbor) {
    problems.push(
      problem(
        file.name,
        `"${safeHarbor}" is the built-in profile of feeds and no name for a policy`,
        "name the file otherwise",
      ),
    );
  }
  return problems;
}

interface Claim {
  readonly key: string;
  readonly words: string;
  readonly where: string;
}

function channelClaims({ file, value }: Read<"channel">): Claim[] {
  return value.resources.map(({ type }, index) => ({
    key: [value.kind, value.from, value.to, type].join("|"),
    words: `${value.kind} ${type} from "${value.from}" to "${value.to}"`,
    where: file.where(["resources", index, "type"]),
  }));
}

function policyClaims({ file, value }: Read<"policy">): Claim[] {
  return value.purposes.flatMap((purpose) =>
    Object.keys(value.allow).map((type) => ({
      key: [value.recipient, purpose, type].join("|"),
      words: `say what "${value.recipient}" may receive of ${type} for ${purpose}`,
      where: file.where(["allow", type]),
    })),
  );
}

/** Two files that claim the same: which of them would win must never be a question. */
function overlaps<K extends "channel" | "policy">(
  reads: readonly Read<K>[],
  kind: K,
  claims: (read: Read<K>) => Claim[],
): Problem[] {
  const first = new Map<string, string>();
  const problems: Problem[] = [];
  for (const read of reads) {
    for (const { key, words, where } of claims(read)) {
      const other = first.get(key);
      if (other === undefined) first.set(key, read.id);
      else if (other !== read.id)
        problems.push(problem(where, `${kind} "${read.id}" and ${kind} "${other}" both ${words}`, "keep one of them"));
    }
  }
  return problems;
}

function unused(read: ReadConfiguration): Problem[] {
  const resources = [...read.channel.values()].flatMap((channel) => channel.value.resources);
  const idle = (kind: "mapping" | "policy", used: (id: string) => boolean): Problem[] =>
    [...read[kind].values()]
      .filter(({ id }) => !used(id))
      .map(({ id, file }) =>
        problem(file.name, `no channel uses the ${kind} "${id}"`, "name it in a channel or remove it"),
      );
  return [
    ...idle("mapping", (id) => resources.some(({ mapping }) => mapping === id)),
    ...idle("policy", (id) => resources.some(({ policy }) => policy === id)),
  ];
}
