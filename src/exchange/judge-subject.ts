// The decision of the judge stage: is it a test patient, do the consents on file of every person on the record permit this
// recipient and purpose now? Consents come from memory, and only if their source was read recently enough.
import type { RecordRef, SourceRecord } from "../core/records.ts";
import { refKey } from "../core/records.ts";
import { parseReference, patientReferences } from "../fhir/references.ts";
import { judgeConsent, type ConsentActor } from "../policy/consent.ts";
import { decide, type Finding } from "../policy/decision.ts";
import { judgeTestPatient } from "../policy/test-patient.ts";
import { quarantine } from "./causes.ts";
import { contentOf } from "./fetch.ts";
import { needFreshConsents } from "./freshness.ts";
import type { Gateway } from "./gateway.ts";
import { Judged } from "./judge.ts";
import type { Subject } from "./resolve.ts";
import { isFhir, type Run } from "./run.ts";
import { judgePersons } from "./test-patients.ts";
import { versionNow } from "./versions.ts";

/** Throws a Stop `denied` or `waiting`. */
export async function judgeSubject(
  run: Run,
  subject: Subject,
  source: SourceRecord,
  agreements: readonly Finding[],
): Promise<Judged<SourceRecord>> {
  await needFreshConsents(run.gateway, run.channel);
  const persons = await judgePersons(run, subject, source);
  return judgeKnown(run, subject, source, [...agreements, ...persons]);
}

/** The same on the consents that are on file now, however old. */
export function judgeKnown(
  run: Run,
  subject: Subject,
  source: SourceRecord,
  agreements: readonly Finding[],
): Judged<SourceRecord> {
  const { gateway, channel } = run;
  // The version is taken before the decision: what changes in between makes the check in the instant of sending fail.
  const version = versionNow(gateway, { channel, subjects: subject.records });
  const decision = decide([...agreements, testPatient(run, source), ...consentFindings(run, subject, source)]);
  const { to: recipient, purpose } = channel;
  return Judged.judge(source, decision, { recipient, purpose, channel, subjects: subject.records, version });
}

function testPatient(run: Run, source: SourceRecord): Finding {
  const system = run.active.configuration.systems.get(run.channel.from);
  if (!system) throw quarantine("configuration-gone", { channel: run.channel.id });
  return judgeTestPatient(system, contentOf(source));
}

/** One finding a person: every patient named on a resource must permit. */
function consentFindings(run: Run, subject: Subject, source: SourceRecord): readonly Finding[] {
  const { gateway, channel } = run;
  const { configuration } = run.active;
  const persons = isFhir(run.active, channel.from) ? namedPatients(run, subject, source) : [subject.records];
  return persons.map((patients) =>
    judgeConsent({
      consents: gateway.consents.of(patients),
      patients,
      actor: recipientOf(gateway, channel.to),
      purpose: channel.purpose,
      resource: isFhir(run.active, channel.from) ? contentOf(source) : run.resource.type,
      resourceRef: source.ref,
      at: gateway.clock.now(),
      timeZone: configuration.timeZone,
      implicit: configuration.implicitConsent[channel.purpose],
      requireConsent: channel.requireConsent,
      deidentified: channel.kind === "feed",
    }),
  );
}

/** The records of each person that a FHIR resource names; of the subject all that are linked. */
function namedPatients(run: Run, subject: Subject, source: SourceRecord): readonly (readonly RecordRef[])[] {
  const { system } = source.ref;
  const { ids, unresolvable } = patientReferences(contentOf(source));
  if (unresolvable.length > 0 || ids.length === 0) throw quarantine("no-patient", { channel: run.channel.id });
  const own = new Set(subject.records.map(refKey));
  return ids.map((id) => {
    const record = { system, type: "Patient", id };
    return own.has(refKey(record)) ? subject.records : [record];
  });
}

/** How consents name the recipient: by its organization, as each consent source knows it. */
function recipientOf(gateway: Gateway, recipient: string): ConsentActor {
  const { systems } = gateway.active.configuration;
  const organization = parseReference(systems.get(recipient)?.organization);
  if (!organization) return { references: [] };
  const { type, id } = organization;
  const sources = [...systems.values()].filter((system) => system.consentSource);
  return { references: sources.map((system) => ({ system: system.id, type, id })) };
}

/** Whose a feed's record is, without claiming it: a feed only reads. */
export async function feedSubject(run: Run, source: SourceRecord): Promise<Subject> {
  const { links } = run.gateway.store;
  const { ids, unresolvable } = patientReferences(contentOf(source));
  if (unresolvable.length > 0 || ids.length === 0) throw quarantine("no-patient", { channel: run.channel.id });
  // De-identified together, two patients would need the consent of each, and a code that tells nobody which is which.
  const [id, ...others] = ids;
  if (id === undefined || others.length > 0) throw quarantine("two-patients", { channel: run.channel.id });
  const patient = { system: source.ref.system, type: "Patient", id };
  return { person: (await links.personOf(patient)) ?? refKey(patient), records: [patient], personRecord: patient };
}
