// What both sides hold after a run, as plain data: each record with its history, read by the test itself. The checks in
// `invariants.ts` see nothing else, so that a planted fault in a copy of it shows whether they would notice.
import { canonicalJson, type JsonObject } from "../../src/core/json.ts";
import type { Sandboxes } from "../../src/sandboxes.ts";
import { keyOfGiven, type Population, type Side } from "./population.ts";
import { linkIdsOf, readAppointment, readContact, readEvent, readPatient, type Values } from "./readings.ts";
import type { Traffic } from "./traffic.ts";

export interface Version {
  readonly by: "user" | "api";
  /** CRM only. */
  readonly requestId: string | undefined;
  readonly values: Values;
  /** All of it but what the system itself assigns; equal text = nothing was changed. */
  readonly whole: string;
}

export interface Held {
  readonly side: Side;
  readonly kind: "person" | "visit";
  readonly id: string;
  /** Of the population; undefined = nobody whom the test made. */
  readonly key: string | undefined;
  readonly linkIds: readonly string[];
  /** Oldest first; the last is what is held. */
  readonly versions: readonly Version[];
}

export interface Snapshot {
  readonly records: readonly Held[];
  /** Request ids of all writes that reached a system, answered or not. */
  readonly writes: readonly string[];
  /** Writes that arrived before their audit entry was durable. */
  readonly unaudited: readonly string[];
  /** What the audit log says became of a request, by request id. */
  readonly outcomes: ReadonlyMap<string, string>;
  /** The state in which the row of each acknowledged notice is, by webhook id; undefined = there is no such row. */
  readonly notices: ReadonlyMap<string, string | undefined>;
  /** Writes that came after both sides had been quiet. */
  readonly echoes: number;
  /** Batches at the sink: webhook ids, and how often one came with other bytes. */
  readonly batches: readonly string[];
  readonly auditProblem: string | undefined;
  /** Places in which a canary was found. */
  readonly leaks: readonly string[];
  /** What else the profile under test found wrong. */
  readonly problems: readonly string[];
}

const linkSystem = "urn:sluice:link";
const assigned = ["Id", "SystemModstamp", "CreatedDate", "LastModifiedDate", "Name", "DurationInMinutes", "meta"];

export function recordsOf({ crm, ehr }: Sandboxes, population: Population, traffic: Traffic): readonly Held[] {
  const contactPerson = new Map<string, string>();
  const patientPerson = new Map<string, string>();
  const keyOf = (values: Values): string | undefined => {
    const key = keyOfGiven(values["given"] ?? "");
    return population.persons.has(key) ? key : undefined;
  };
  const visitKey = (values: Values): string | undefined => population.visitAt(values["start"]);
  const crmHeld = (type: string, kind: Held["kind"], read: (fields: JsonObject) => Values): Held[] =>
    [...crm.records(type).keys()].map((id) => {
      const versions = crm.history(type, id).map((one) => ({
        by: one.by,
        requestId: one.requestId,
        values: read(one.fields),
        whole: wholeOf(one.fields),
      }));
      const link = crm.records(type).get(id)?.["Sluice_Link_Id__c"];
      const linkIds = typeof link === "string" && link !== "" ? [link] : [];
      return held("crm", kind, id, linkIds, versions, kind === "person" ? keyOf : visitKey);
    });
  const ehrHeld = (type: string, kind: Held["kind"], read: (resource: JsonObject) => Values): Held[] =>
    ehr.all(type).map((resource) => {
      const versions = ehr.history(type, resource.id).map((one, index) => ({
        by: traffic.isUsers(type, resource.id, index + 1) ? ("user" as const) : ("api" as const),
        requestId: undefined,
        values: read(one),
        whole: wholeOf(one),
      }));
      const keyed = kind === "person" ? keyOf : visitKey;
      return held("ehr", kind, resource.id, linkIdsOf(resource, linkSystem), versions, keyed);
    });
  const persons = [
    ...crmHeld("Contact", "person", (fields) => readContact(fields as Parameters<typeof readContact>[0])),
    ...ehrHeld("Patient", "person", readPatient),
  ];
  for (const { side, id, key } of persons)
    if (key !== undefined) (side === "crm" ? contactPerson : patientPerson).set(id, key);
  return [
    ...persons,
    ...crmHeld("Event", "visit", (fields) =>
      readEvent(fields as Parameters<typeof readEvent>[0], (id) => contactPerson.get(id)),
    ),
    ...ehrHeld("Appointment", "visit", (one) => readAppointment(one, (id) => patientPerson.get(id))),
  ];
}

function held(
  side: Side,
  kind: Held["kind"],
  id: string,
  linkIds: readonly string[],
  versions: readonly Version[],
  keyOf: (values: Values) => string | undefined,
): Held {
  return { side, kind, id, linkIds, versions, key: keyOf(versions.at(-1)?.values ?? {}) };
}

function wholeOf(record: JsonObject): string {
  return canonicalJson(Object.fromEntries(Object.entries(record).filter(([name]) => !assigned.includes(name))));
}
