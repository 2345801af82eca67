// How many records each of the demo's systems holds.
import type { Sandboxes } from "../sandboxes.ts";

export interface Snapshot {
  readonly contacts: number;
  readonly events: number;
  readonly patients: number;
  readonly appointments: number;
}

export function snapshot({ crm, ehr }: Sandboxes): Snapshot {
  return {
    contacts: crm.records("Contact").size,
    events: crm.records("Event").size,
    patients: ehr.all("Patient").length,
    appointments: ehr.all("Appointment").length,
  };
}
