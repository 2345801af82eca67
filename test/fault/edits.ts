// The users of both systems at work during a fault run: CRM users change mobile numbers and the status of visits, EHR users
// streets and times. No field is edited on both sides, no value twice, so that every value tells its place in the history.
import { isJsonObject, type Json } from "../../src/core/json.ts";
import type { Prng } from "../../src/practice/prng.ts";
import type { Sandboxes } from "../../src/sandboxes.ts";
import { keyOfGiven, timesOf, type Population, type Truth } from "./population.ts";
import { readAppointment, readEvent } from "./readings.ts";
import type { Traffic } from "./traffic.ts";

/** In this order, each at most once a visit; equal words on both sides but for the case. */
const statuses = ["Proposed", "Pending", "Booked", "Waitlist", "Arrived", "Cancelled"];

export class Users {
  readonly #sandboxes: Sandboxes;
  readonly #population: Population;
  readonly #traffic: Traffic;
  readonly #random: Prng;
  #numbers = 0;
  edits = 0;

  constructor(sandboxes: Sandboxes, population: Population, traffic: Traffic, random: Prng) {
    this.#sandboxes = sandboxes;
    this.#population = population;
    this.#traffic = traffic;
    this.#random = random;
  }

  /** One edit of a random record that is there. */
  edit(): void {
    const edits = [() => this.#mobile(), () => this.#status(), () => this.#street(), () => this.#time()] as const;
    this.edits += this.#random.pick(edits)() ? 1 : 0;
  }

  #mobile(): boolean {
    const { crm } = this.#sandboxes;
    const [id, fields] = this.#any([...crm.records("Contact")]) ?? [];
    const truth = this.#personOf(fields?.["FirstName"]);
    if (id === undefined || !truth) return false;
    this.#numbers += 1;
    const digits = String(1_000_000 + this.#numbers).slice(1);
    truth.values["mobile"] = `(${200 + this.#random.int(700)}) ${digits.slice(0, 3)}-${digits.slice(3)}0`;
    crm.edit("Contact", id, { MobilePhone: truth.values["mobile"] });
    return true;
  }

  #status(): boolean {
    const { crm } = this.#sandboxes;
    const [id, fields] = this.#any([...crm.records("Event")]) ?? [];
    const truth = fields && this.#visitOf(readEvent(fields, () => undefined)["start"]);
    const next = statuses[statuses.indexOf(String(fields?.["Visit_Status__c"])) + 1];
    if (id === undefined || !truth || next === undefined) return false;
    truth.values["status"] = next.toLowerCase();
    crm.edit("Event", id, { Visit_Status__c: next });
    return true;
  }

  #street(): boolean {
    const patient = this.#any(this.#sandboxes.ehr.all("Patient"));
    const name = first(patient?.["name"]);
    const truth = this.#personOf(Array.isArray(name["given"]) ? (name["given"] as readonly Json[])[0] : undefined);
    if (!patient || !truth) return false;
    this.#numbers += 1;
    const street = `${this.#numbers} ${this.#population.canaries.name()} Street`;
    truth.values["street"] = street;
    this.#saveEhr("Patient", patient.id, (one) => ({
      ...one,
      address: [{ ...first(one["address"]), line: [street] }],
    }));
    return true;
  }

  #time(): boolean {
    const appointment = this.#any(this.#sandboxes.ehr.all("Appointment"));
    const truth = appointment && this.#visitOf(readAppointment(appointment, () => undefined)["start"]);
    if (!truth) return false;
    const times = timesOf(this.#population.nextStart(truth.key));
    Object.assign(truth.values, times);
    this.#saveEhr("Appointment", appointment.id, (one) => ({ ...one, ...times }));
    return true;
  }

  #saveEhr(type: string, id: string, change: Parameters<Sandboxes["ehr"]["edit"]>[2]): void {
    const saved = this.#sandboxes.ehr.edit(type, id, change);
    const version = isJsonObject(saved["meta"]) ? saved["meta"]["versionId"] : undefined;
    this.#traffic.usersOwn(type, id, typeof version === "string" ? version : "");
  }

  #any<T>(from: readonly T[]): T | undefined {
    return from[this.#random.int(from.length)];
  }

  #personOf(given: unknown): Truth | undefined {
    return typeof given === "string" ? this.#population.persons.get(keyOfGiven(given)) : undefined;
  }

  #visitOf(start: string | undefined): Truth | undefined {
    return this.#population.visits.get(this.#population.visitAt(start) ?? "");
  }
}

function first(value: Json | undefined): Record<string, Json | undefined> {
  const [one] = Array.isArray(value) ? (value as readonly Json[]) : [];
  return isJsonObject(one) ? { ...one } : {};
}
