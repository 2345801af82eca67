// Generates a whole synthetic practice from a seed: what its CRM holds, what its EHR holds, the consents, and what is to be
// expected of each person. Pure: the same input gives the same practice.
import type { JsonObject } from "../core/json.ts";
import { canarySource, type Canaries, type CanarySource } from "./canaries.ts";
import { consentOf, permissions, roleOf, type ConsentLabel, type Permissions, type Place, type Trait } from "./cast.ts";
import { consentsFor, type Recipients } from "./consents.ts";
import { appointment, fhirId, patient } from "./fhir.ts";
import { makePerson, type Person } from "./person.ts";
import { prng, type Prng } from "./prng.ts";
import { contact, event, noVisits, salesforceId, type Stamped, type Visit } from "./salesforce.ts";
import { visitReasons } from "./words.ts";

export interface PracticeOptions {
  readonly seed: number;
  /** How many persons, in all systems together. */
  readonly patients: number;
  /** "Today", milliseconds since 1970. Everything was last changed before it. */
  readonly at: number;
  /** Absent = the organizations of the example configuration. */
  readonly recipients?: Recipients;
}

export interface Expectation {
  readonly place: Place;
  readonly trait: Trait;
  readonly consent: ConsentLabel;
  /** The consent gate's word on each channel of the example; other gates may still refuse. */
  readonly permissions: Permissions;
  readonly contactId: string | undefined;
  readonly patientId: string | undefined;
  readonly eventIds: readonly string[];
  readonly appointmentIds: readonly string[];
}

export interface Practice {
  /** Salesforce Contact and Event records. */
  readonly contacts: readonly JsonObject[];
  readonly events: readonly JsonObject[];
  /** FHIR R4 resources of the EHR. */
  readonly patients: readonly JsonObject[];
  readonly appointments: readonly JsonObject[];
  readonly consents: readonly JsonObject[];
  readonly canaries: Canaries;
  /** One for each person, in order. */
  readonly expectations: readonly Expectation[];
  /** Events that are no visits. */
  readonly noVisitIds: readonly string[];
}

export const exampleRecipients: Recipients = {
  ehr: "Organization/harbor-ehr",
  crm: "Organization/harbor-crm",
  marketing: "Organization/harbor-marketing",
};

const day = 86_400_000;
const hour = 3_600_000;

export function generatePractice(options: PracticeOptions): Practice {
  return new Generator(options).run();
}

class Generator {
  readonly #options: PracticeOptions;
  readonly #random: Prng;
  readonly #canaries: CanarySource;
  readonly #contacts: JsonObject[] = [];
  readonly #events: JsonObject[] = [];
  readonly #patients: JsonObject[] = [];
  readonly #appointments: JsonObject[] = [];
  readonly #consents: JsonObject[] = [];
  readonly #expectations: Expectation[] = [];
  readonly #noVisitIds: string[] = [];
  #known = 0;
  #kin: Person | undefined;

  constructor(options: PracticeOptions) {
    this.#options = options;
    this.#random = prng(options.seed);
    this.#canaries = canarySource(this.#random);
  }

  run(): Practice {
    for (let index = 0; index < this.#options.patients; index += 1) this.#addPerson(index);
    return {
      contacts: this.#contacts,
      events: this.#events,
      patients: this.#patients,
      appointments: this.#appointments,
      consents: this.#consents,
      canaries: { phi: this.#canaries.phi, neverLeave: this.#canaries.neverLeave },
      expectations: this.#expectations,
      noVisitIds: this.#noVisitIds,
    };
  }

  #addPerson(index: number): void {
    const role = roleOf(index);
    const person = makePerson(
      role,
      this.#options.at,
      this.#random,
      this.#canaries,
      role.trait === "family-twin" ? this.#kin : undefined,
    );
    if (role.trait.startsWith("family-")) this.#kin = person;
    const consent = role.place === "crm" ? "none" : consentOf(this.#known++);
    const crm = role.place === "ehr" ? undefined : this.#addToCrm(person, index);
    const ehr = role.place === "crm" ? undefined : this.#addToEhr(person, consent);
    this.#expectations.push({
      ...role,
      consent,
      permissions: permissions[consent],
      contactId: crm?.id,
      patientId: ehr?.id,
      eventIds: crm?.visits ?? [],
      appointmentIds: ehr?.visits ?? [],
    });
  }

  #addToCrm(person: Person, index: number): { id: string; visits: string[] } {
    const { at } = this.#options;
    const record = this.#stamp(salesforceId("003", 1000 + this.#contacts.length));
    this.#contacts.push(contact(person, record, this.#canaries));
    const visits = this.#visits().map((visit) => {
      const stamp = this.#eventStamp();
      this.#events.push(event(record.id, visit, stamp, at, this.#random, this.#canaries));
      return stamp.id;
    });
    if (index % 10 === 0) this.#addNoVisits(record.id);
    return { id: record.id, visits };
  }

  #addNoVisits(who: string): void {
    const stamps = Array.from({ length: 3 }, (_, offset) => this.#eventStamp(offset));
    this.#events.push(
      ...noVisits(who, this.#visit("Calendar entry"), stamps, this.#options.at, this.#random, this.#canaries),
    );
    this.#noVisitIds.push(...stamps.map(({ id }) => id));
  }

  #addToEhr(person: Person, consent: ConsentLabel): { id: string; visits: string[] } {
    const { at, recipients = exampleRecipients } = this.#options;
    const record = this.#stamp(fhirId(this.#random));
    this.#patients.push(patient(person, record, at, this.#canaries));
    const visits = this.#visits().map((visit) => {
      const stamp = this.#stamp(fhirId(this.#random));
      this.#appointments.push(appointment(record.id, visit, stamp, at, this.#random, this.#canaries));
      return stamp.id;
    });
    const next = (): Stamped => this.#stamp(fhirId(this.#random));
    this.#consents.push(...consentsFor(consent, { patientId: record.id, at, recipients, record: next }));
    return { id: record.id, visits };
  }

  #eventStamp(offset = 0): Stamped {
    return this.#stamp(salesforceId("00U", 1000 + this.#events.length + offset));
  }

  /** Changed last between an hour and 30 days ago. */
  #stamp(id: string): Stamped {
    const second = 1000;
    return { id, changedAt: Math.floor((this.#options.at - hour - this.#random.int(30 * day)) / second) * second };
  }

  #visits(): Visit[] {
    const titles = Array.from(
      { length: 1 + this.#random.int(2) },
      () => `${this.#random.pick(visitReasons)} ${this.#canaries.name()}`,
    );
    return titles.map((title) => this.#visit(title));
  }

  /** Within 20 days before and 60 days after today, in office hours, on a quarter of an hour. */
  #visit(title: string): Visit {
    const midnight = Math.floor(this.#options.at / day) * day;
    const start = midnight + (this.#random.int(80) - 20) * day + 14 * hour + this.#random.int(32) * 15 * 60_000;
    return { start, minutes: this.#random.pick([15, 30, 45]), title };
  }
}
