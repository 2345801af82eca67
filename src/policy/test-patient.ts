// The test-patient gate: what a production system marks as a test patient never leaves it, so that no test record turns
// up as a person elsewhere. Sandboxes are not asked.
import type { SystemConfig, TestPatientRule } from "../core/configuration.ts";
import type { Reason } from "../core/decision.ts";
import { SluiceError } from "../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";

/**
 * @param record A FHIR resource or a CRM record, as read from `system`.
 * Throws `config-invalid` on a rule without a condition.
 */
export function judgeTestPatient(
  system: Pick<SystemConfig, "id" | "environment" | "testPatients">,
  record: JsonObject,
): Reason {
  if (system.environment !== "production")
    return answer("not-applicable", "test-patient-sandbox", "a sandbox holds test patients only");
  if (hasTestLabel(record)) return answer("deny", "test-patient-label", "the record is labelled as test data (HTEST)");
  if (system.testPatients.some((rule) => matches(rule, record)))
    return answer("deny", "test-patient-rule", "a rule of the source system marks this record as a test patient");
  return answer("permit", "test-patient-none", "no rule marks this record as a test patient");
}

function answer(outcome: Reason["outcome"], rule: string, text: string): Reason {
  return { gate: "test-patient", outcome, rule, citation: "HL7 v3-ActReason HTEST; 45 CFR 164.312(c)(1)", text };
}

/** `meta.security` HTEST, whichever code system it claims. */
function hasTestLabel(record: JsonObject): boolean {
  return valuesAt(record, ["meta", "security", "code"]).includes("HTEST");
}

function matches(rule: TestPatientRule, record: JsonObject): boolean {
  const { path, equals, startsWith } = rule;
  if (equals === undefined && startsWith === undefined) {
    throw new SluiceError("config-invalid", "a test-patient rule has no condition", {
      hint: "give `equals` or `startsWith`",
    });
  }
  return valuesAt(record, path.split(".")).some(
    (value) => (equals === undefined || value === equals) && (startsWith === undefined || value.startsWith(startsWith)),
  );
}

/** All primitive values at a dotted path, as text; lists on the way are walked through. */
function valuesAt(value: Json | undefined, path: readonly string[]): string[] {
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap((item) => valuesAt(item, path));
  const [name, ...rest] = path;
  if (name !== undefined) return isJsonObject(value) && Object.hasOwn(value, name) ? valuesAt(value[name], rest) : [];
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? [String(value)] : [];
}
