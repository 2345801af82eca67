// Synthetic and hand-made patients with known identifiers: every expected year and ZIP3, and no identifier left.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { SluiceError } from "../../../src/core/errors.ts";
import { isJsonObject, parseJson, type Json, type JsonObject } from "../../../src/core/json.ts";
import { deidentify } from "../../../src/deidentify/safe-harbor.ts";
import { assertShape } from "../../../src/deidentify/shape.ts";
import { zip3 } from "../../../src/deidentify/zip3.ts";

const data = new URL("../../../../shared/data/", import.meta.url);
const at = Date.parse("2026-11-24T12:00:00Z");

function lines<T>(file: string): T[] {
  return readFileSync(new URL(file, data), "utf8")
    .trim()
    .split("\n")
    .map((line) => parseJson(line) as T);
}

function release(resource: JsonObject): JsonObject {
  return deidentify(resource, { pseudonym: (reference) => `random-${reference.length}`, at }).resource;
}

function strings(value: Json | undefined): string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap(strings);
  return isJsonObject(value) ? Object.values(value).flatMap(strings) : [];
}

interface Known {
  readonly patient: string;
  readonly zip: string | null;
  readonly safeHarbor: { readonly zip3_census2010: string; readonly birth: string };
}

describe("deidentify, known patients", function () {
  before(function () {
    if (existsSync(data)) return;
    console.log("      (skipped: ../shared/data is not here)");
    this.skip();
  });

  it("gives the expected birth year and ZIP3 of 59 synthetic patients", () => {
    const patients = new Map(lines<JsonObject>("synthea/Patient.ndjson").map((one) => [one["id"], one]));
    const known = lines<Known>("synthea/phi.jsonl");
    assert.equal(known.length, 59);
    for (const { patient, zip, safeHarbor } of known) {
      const out = release(patients.get(patient) ?? {});
      assert.equal(out["birthDate"], safeHarbor.birth === "90+" ? undefined : safeHarbor.birth, patient);
      const [address] = Array.isArray(out["address"]) ? (out["address"] as readonly JsonObject[]) : [];
      if (zip) assert.equal(address?.["postalCode"], safeHarbor.zip3_census2010, patient);
    }
  });

  it("leaves no string of a patient or an appointment but codes, years, States and ZIP3", () => {
    const allowed =
      /^(Patient|Appointment|Patient\/random-\d+|random-\d+|\d{4}|\d{3}|[A-Z]{2}|US|male|female|other|unknown|home|work|temp|old|billing|masked|ANONYED|SUBSETTED|required|optional|information-only|accepted|declined|tentative|needs-action|CHECKUP|EMERGENCY|FOLLOWUP|ROUTINE|WALKIN|booked|fulfilled|cancelled|noshow|pending|proposed|arrived|checked-in|waitlist|entered-in-error|replaced-by|replaces|refer|seealso|urn:x-sluice:event-year|http:\/\/terminology\.hl7\.org\/\S+|http:\/\/hl7\.org\/fhir\/StructureDefinition\/data-absent-reason)$/;
    let accepted = 0;
    for (const resource of [
      ...lines<JsonObject>("synthea/Patient.ndjson"),
      ...lines<JsonObject>("synthea/Appointment.ndjson"),
    ]) {
      const out = release(resource);
      for (const text of strings(out)) assert.match(text, allowed);
      // The result is R4 again.
      assertShape(out, resource["resourceType"] === "Patient" ? "Patient" : "Appointment");
      accepted += 1;
    }
    assert.ok(accepted > 100);
  });

  it("accepts every hand-made patient but the one with an unknown modifier", () => {
    const refused: unknown[] = [];
    for (const patient of lines<JsonObject>("edge/Patient.ndjson")) {
      try {
        const out = release(patient);
        const kept = Array.isArray(out["address"]) ? (out["address"] as readonly JsonObject[]) : [];
        const given = Array.isArray(patient["address"]) ? (patient["address"] as readonly JsonObject[]) : [];
        for (const [index, one] of kept.entries())
          if (one["postalCode"] !== undefined)
            assert.equal(one["postalCode"], zip3(strings(given[index]?.["postalCode"]).join()));
        for (const name of ["active", "gender"]) assert.equal(out[name], patient[name]);
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        refused.push(patient["id"]);
      }
    }
    assert.deepEqual(refused, ["edge-modext"]);
  });
});
