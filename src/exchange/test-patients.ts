// Test patients of a production system never leave it, and neither do their visits: a visit carries no mark of its own, so
// the person that it names is read and judged too.
import { refKey, type RecordRef, type SourceRecord } from "../core/records.ts";
import { patientReferences } from "../fhir/references.ts";
import type { Finding } from "../policy/decision.ts";
import { judgeTestPatient } from "../policy/test-patient.ts";
import { contentOf, readRecord, sourceFields } from "./fetch.ts";
import type { Subject } from "./resolve.ts";
import { isFhir, type Run } from "./run.ts";

/** One finding a person that the record names besides itself; none in a sandbox, where all are test patients. */
export async function judgePersons(run: Run, subject: Subject, source: SourceRecord): Promise<readonly Finding[]> {
  const system = run.active.configuration.systems.get(run.channel.from);
  if (system?.environment !== "production") return [];
  const findings: Finding[] = [];
  for (const person of personsOf(run, subject, source)) {
    const record = await readRecord(run, person, sourceFields(run, personMapping(run)));
    findings.push(record ? judgeTestPatient(system, contentOf(record)) : unreadable);
  }
  return findings;
}

function personsOf(run: Run, subject: Subject, source: SourceRecord): readonly RecordRef[] {
  const { system } = source.ref;
  const named = isFhir(run.active, system)
    ? patientReferences(contentOf(source)).ids.map((id) => ({ system, type: "Patient", id }))
    : [subject.personRecord];
  return named.filter((person) => refKey(person) !== refKey(source.ref));
}

/** The channel's mapping of persons: its fields are those by which a person is known. */
function personMapping(run: Run): string | undefined {
  const mappings = run.channel.resources.map((resource) => resource.mapping);
  return mappings.find((id) => id !== undefined && run.active.mapping(id).declaration.subject === "self");
}

const unreadable: Finding = {
  gate: "test-patient",
  outcome: "unknown",
  rule: "person-unreadable",
  citation: "45 CFR 164.312(c)(1)",
  text: "the person that the record names cannot be read, so whether it is a test patient is not known",
};
