// What a run puts on record: the audit entries of its disclosure, its denial, its outcome or its failure, each under a key
// that names (exchange, attempt, step), so that a repeated step writes the same entry again and readers take the first.
import type { AuditEntry } from "../audit/entry.ts";
import type { AuditDetail, AuditHeader, AuditKind } from "../audit/event.ts";
import { makeEntry } from "../audit/write.ts";
import { instant } from "../core/clock.ts";
import type { Decision } from "../core/decision.ts";
import { newId, sha256 } from "../core/ids.ts";
import type { Permit } from "./judge.ts";
import type { Gateway } from "./gateway.ts";
import type { Run } from "./run.ts";

export interface RunEvent {
  readonly person: string | undefined;
  readonly permit?: Permit;
  readonly decision?: Decision;
  readonly interaction?: AuditHeader["interaction"];
  readonly released?: readonly string[];
  readonly withheld?: readonly string[];
  readonly outcome?: AuditHeader["outcome"];
  readonly previous?: AuditHeader["previous"];
  readonly cause?: string;
  readonly detail?: AuditDetail;
  /** Whose row it is about, when not the run's own (a batch). */
  readonly row?: Run["row"];
  readonly n?: number;
}

/** The audit key of one step of one attempt. */
export function auditKey(row: string, n: number, kind: AuditKind): string {
  return `${row}.${n}.${kind}`;
}

export async function auditRun(run: Run, kind: AuditKind, event: RunEvent): Promise<AuditEntry> {
  const { gateway, channel } = run;
  const row = event.row ?? run.row;
  const n = event.n ?? run.n;
  const decision = event.decision ?? event.permit?.decision;
  const header: AuditHeader = {
    v: 1,
    kind,
    at: instant(gateway.clock.now()),
    exchange: row.id,
    attempt: n,
    channel: channel.id,
    from: channel.from,
    to: channel.to,
    purpose: channel.purpose,
    resourceType: run.resource.type,
    queuedUnder: row.configuration,
    configuration: run.active.configuration.hash,
    ...(run.resource.mapping === undefined ? {} : { mapping: run.resource.mapping }),
    policy: run.resource.policy,
    actor: "sluice",
    ...(event.interaction === undefined ? {} : { interaction: event.interaction }),
    ...(event.person === undefined ? {} : { person: gateway.personKeys.pseudonym(event.person) }),
    ...(decision === undefined ? {} : decisionHeader(decision)),
    ...(event.released === undefined ? {} : { released: event.released }),
    ...(event.withheld === undefined ? {} : { withheld: event.withheld }),
    ...(event.outcome === undefined ? {} : { outcome: event.outcome }),
    ...(event.previous === undefined ? {} : { previous: event.previous }),
    ...(event.cause === undefined ? {} : { cause: event.cause }),
  };
  const detail: AuditDetail = {
    source: row.source,
    ...(decision ? { consents: decision.consents } : {}),
    ...event.detail,
  };
  // A search or a failure may happen more than once in an attempt, and each counts.
  const once = kind === "query" || kind === "failure" ? `.${newId(gateway.random)}` : "";
  return entryFor(gateway, auditKey(row.id, n, kind) + once, header, detail, event.person);
}

/** Seals the detail under the person's key; while the person is not known, under a key of its own. */
export async function entryFor(
  gateway: Gateway,
  key: string,
  header: AuditHeader,
  detail: AuditDetail | undefined,
  person: string | undefined,
): Promise<AuditEntry> {
  const named = person === undefined ? { ...header, person: gateway.personKeys.pseudonym("unknown") } : header;
  const personKey = detail ? await gateway.personKeys.of(person ?? "unknown") : undefined;
  return makeEntry(key, named, detail, personKey, gateway.random);
}

function decisionHeader(decision: Decision): Partial<AuditHeader> {
  return {
    decision: decision.outcome,
    rule: decision.decidedBy.rule,
    citation: decision.decidedBy.citation,
    reasons: decision.reasons.map(({ gate, outcome, rule, citation }) => ({ gate, outcome, rule, citation })),
    agreements: decision.agreements,
    consentVersion: sha256(decision.consents.join("\n")).slice(0, 22),
  };
}
