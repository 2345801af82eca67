// One day in the demo practice: people edit records in the CRM and in the EHR, on different fields and sometimes on the
// same one, and a patient revokes a consent.
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { prng } from "../practice/prng.ts";
import type { Sandboxes } from "../sandboxes.ts";

type Resource = Parameters<Sandboxes["ehr"]["put"]>[0];

export function playDay(sandboxes: Sandboxes, seed: number): void {
  const random = prng(seed + 1);
  const linked = linkedPatients(sandboxes);
  linked.forEach(({ contact, patient }, index) => {
    if (index % 3 === 0)
      sandboxes.crm.edit("Contact", contact, { MobilePhone: `(555) 555-01${random.text("0123456789", 2)}` });
    if (index % 4 === 0) moveHome(sandboxes, patient, `${index + 1} Lantern Street`);
  });
  const [conflict] = linked.filter((_one, index) => index % 12 === 5);
  if (conflict) {
    sandboxes.crm.edit("Contact", conflict.contact, { MailingCity: "Gullhaven" });
    sandboxes.ehr.edit("Patient", conflict.patient, (patient) => withAddress(patient, { city: "Port Ansel" }));
  }
  for (const event of [...sandboxes.crm.records("Event").values()].slice(0, 5)) {
    sandboxes.crm.edit("Event", String(event["Id"] ?? ""), { Visit_Status__c: "Cancelled" });
  }
  const [consent] = sandboxes.ehr.all("Consent").filter((one) => one["status"] === "active");
  if (consent) sandboxes.ehr.edit("Consent", consent["id"], (one) => ({ ...one, status: "inactive" }));
}

function moveHome({ ehr }: Sandboxes, patient: string, line: string): void {
  ehr.edit("Patient", patient, (resource) => withAddress(resource, { line: [line] }));
}

function withAddress(resource: Resource, change: JsonObject): Resource {
  const addresses = Array.isArray(resource["address"]) ? (resource["address"] as readonly Json[]) : [];
  const [first, ...others] = addresses;
  const changed = isJsonObject(first) ? { ...first, ...change } : { use: "home", ...change };
  return { ...resource, address: [changed, ...others] };
}

/** Pairs that carry the same link: a Sluice identifier in the EHR, or an external id in the CRM. */
function linkedPatients({
  crm,
  ehr,
  practice,
  contactIds,
}: Sandboxes): readonly { readonly contact: string; readonly patient: string }[] {
  const both = practice.expectations.filter((one) => one.place === "both" && one.trait === "plain");
  return both.flatMap((one) => {
    const contact = contactIds.get(one.contactId ?? "");
    const patient = one.patientId;
    const exists =
      contact !== undefined &&
      patient !== undefined &&
      crm.records("Contact").has(contact) &&
      ehr.get("Patient", patient);
    return exists ? [{ contact, patient }] : [];
  });
}
