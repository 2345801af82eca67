// Stage: what does not depend on the patient: environments, scope, purpose, agreements. Asked again at every run, so that
// an agreement that ended yesterday stops what was queued the day before (ARCHITECTURE, What always holds 4).
import type { Agreement, ChannelResource } from "../core/configuration.ts";
import type { Reason } from "../core/decision.ts";
import { judgeAgreement } from "../policy/agreement.ts";
import { decide, type Finding } from "../policy/decision.ts";
import type { Run } from "./run.ts";
import { Stop } from "./stop.ts";

/** The findings, all permits. Throws a Stop `denied` otherwise. */
export function checkChannel(run: Run): readonly Finding[] {
  const findings = [environment(run), ...agreements(run)];
  const decision = decide(findings);
  if (decision.outcome !== "permit") throw new Stop({ kind: "denied", decision: { ...decision, outcome: "deny" } });
  return findings;
}

/** ARCHITECTURE, What always holds 14. The configuration is refused for it too; this is the last door. */
function environment(run: Run): Reason {
  const { systems } = run.active.configuration;
  const from = systems.get(run.channel.from)?.environment;
  const to = systems.get(run.channel.to)?.environment;
  const same = from !== undefined && from === to;
  return {
    gate: "environment",
    outcome: same ? "permit" : "deny",
    rule: same ? "environment-same" : "environment-mixed",
    citation: "45 CFR 164.308(a)(4)",
    text: same ? `both systems are ${from}` : "sandbox and production never mix in one channel",
  };
}

const lately = new WeakMap<
  ChannelResource,
  { readonly second: number; readonly of: readonly Agreement[]; readonly findings: readonly Finding[] }
>();

/** Agreements begin and end with a day, so the findings hold for the second they were made in. */
function agreements(run: Run): readonly Finding[] {
  const second = Math.floor(run.gateway.clock.now() / 1000);
  const of = run.active.configuration.agreements;
  const known = lately.get(run.resource);
  if (known?.second === second && known.of === of) return known.findings;
  const findings = judgeAgreements(run, second * 1000);
  lately.set(run.resource, { second, of, findings });
  return findings;
}

function judgeAgreements(run: Run, now: number): readonly Finding[] {
  const { configuration } = run.active;
  const { from, to, purpose, kind } = run.channel;
  const common = {
    agreements: configuration.agreements,
    purpose,
    resourceType: run.resource.type,
    at: now,
    timeZone: configuration.timeZone,
  };
  const feed = kind === "feed";
  return [
    judgeAgreement({ ...common, system: from, use: feed ? "de-identification-source" : "phi" }),
    judgeAgreement({ ...common, system: to, use: feed ? "de-identified-recipient" : "phi" }),
  ];
}
