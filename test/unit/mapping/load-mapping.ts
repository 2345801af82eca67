// The two example mappings of config/ and small declarations for tests, compiled at a fixed day.
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { Clock } from "../../../src/core/clock.ts";
import type { MappingDeclaration, MappingField } from "../../../src/core/configuration.ts";
import { compileMapping } from "../../../src/mapping/compile.ts";
import type { CompiledMapping } from "../../../src/mapping/contract.ts";

/** 2026-11-25T12:00Z, standing still. */
export const noon: Clock = {
  now: () => Date.UTC(2026, 10, 25, 12),
  monotonic: () => 0,
  sleep: () => Promise.resolve(),
};

export function exampleDeclaration(name: string): MappingDeclaration {
  const file = new URL(`../../../config/mappings/${name}.yaml`, import.meta.url);
  const declared = parse(readFileSync(file, "utf8")) as Partial<MappingDeclaration>;
  return { constants: {}, ignoreWhen: [], modifiers: {}, ...declared } as MappingDeclaration;
}

export function exampleMapping(name: string): CompiledMapping {
  return compileMapping(exampleDeclaration(name), noon);
}

/** A Patient mapping of these fields, whose modifier elements have rules. */
export function patientDeclaration(
  fields: readonly MappingField[],
  more: Partial<MappingDeclaration> = {},
): MappingDeclaration {
  return {
    id: "test",
    crm: { object: "Contact", linkField: "Link__c" },
    fhir: { type: "Patient" },
    subject: "self",
    fields,
    constants: {},
    ignoreWhen: [],
    modifiers: { active: [true], deceased: [], link: [] },
    ...more,
  };
}

export function patientMapping(...fields: readonly MappingField[]): CompiledMapping {
  return compileMapping(patientDeclaration(fields), noon);
}
