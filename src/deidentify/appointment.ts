// Safe Harbor for an Appointment: that there is one, of what kind and state, how long, in which year, and whose under a
// pseudonym. No provider and no place: they can identify a patient (45 CFR 164.514(b)(2)(i)(A)-(C), (R)).
import type { Json, JsonObject } from "../core/json.ts";
import {
  appointmentStatuses,
  appointmentTypes,
  appointmentTypeSystem,
  participantRequired,
  participationStatuses,
} from "./codes.ts";
import { codeIn, masked, maskedInstant, objectsIn, pseudonymReference, type Release } from "./profile.ts";
import { malformed } from "./shape.ts";
import { eventYear, yearOf } from "./years.ts";

type Members = Record<string, Json | undefined>;

/** Elements besides id and meta. Throws `input-malformed` on a status or date that cannot be read. */
export function releaseAppointment(appointment: JsonObject, release: Release): Members {
  const status = codeIn(appointment["status"], appointmentStatuses);
  if (status === undefined) throw malformed("Appointment.status");
  for (const name of ["start", "end", "created"]) assertDate(appointment, name);
  return {
    status,
    appointmentType: releaseType(appointment["appointmentType"]),
    _start: releaseInstant(appointment, "start", release.horizon),
    _end: releaseInstant(appointment, "end", release.horizon),
    minutesDuration: releaseDuration(appointment["minutesDuration"]),
    created: eventYear(appointment["created"], release.horizon),
    participant: releaseParticipants(appointment["participant"], release),
  };
}

function assertDate(appointment: JsonObject, name: string): void {
  if (appointment[name] !== undefined && yearOf(appointment[name]) === undefined)
    throw malformed(`Appointment.${name}`);
}

/** Masked rather than left out where there was one: a booked appointment has to have a start and an end (app-3). */
function releaseInstant(appointment: JsonObject, name: string, horizon: number): JsonObject | undefined {
  if (appointment[name] === undefined) return appointment[`_${name}`] === undefined ? undefined : masked;
  return maskedInstant(eventYear(appointment[name], horizon));
}

/** The codes of HL7 table 0276 only, without display, version or text. */
function releaseType(concept: Json | undefined): JsonObject | undefined {
  const codings = objectsIn(objectsIn([concept ?? null])[0]?.["coding"]);
  const coding = codings.find(
    (one) => one["system"] === appointmentTypeSystem && codeIn(one["code"], appointmentTypes),
  );
  return coding ? { coding: [{ system: appointmentTypeSystem, code: coding["code"] }] } : undefined;
}

/** A usual length in minutes; an unusual one could single out a visit. */
function releaseDuration(minutes: Json | undefined): number | undefined {
  const usual = typeof minutes === "number" && Number.isInteger(minutes) && minutes % 5 === 0;
  return usual && minutes >= 5 && minutes <= 240 ? minutes : undefined;
}

function releaseParticipants(participants: Json | undefined, release: Release): JsonObject[] {
  const all = objectsIn(participants);
  if (all.length === 0) throw malformed("Appointment.participant");
  const kept = all.map((one) => releaseParticipant(one, release)).filter((one) => one !== undefined);
  // At least one participant is mandatory, and each has an actor or a type (app-1).
  return kept.length > 0 ? kept : [{ actor: masked, _status: masked }];
}

function releaseParticipant(participant: JsonObject, release: Release): JsonObject | undefined {
  const status = codeIn(participant["status"], participationStatuses);
  if (status === undefined) throw malformed("Appointment.participant.status");
  const actor = pseudonymReference(participant["actor"], ["Patient"], release);
  const required = codeIn(participant["required"], participantRequired);
  return actor && { actor, ...(required === undefined ? {} : { required }), status };
}
