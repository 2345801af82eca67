// The answers of the sandbox EHR: resources with their headers, searchset Bundles, OperationOutcomes, CapabilityStatement.
import { instant } from "../../../src/core/clock.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { SandboxAnswer } from "../../../src/connector/sandbox.ts";
import { parametersOf } from "./search.ts";
import type { Version } from "./store.ts";
import type { Problem } from "./validate.ts";

const fhir = { "content-type": "application/fhir+json; charset=utf-8" };

export function resourceAnswer(status: 200 | 201, base: string, version: Version): SandboxAnswer {
  const headers = {
    ...fhir,
    etag: `W/"${version.version}"`,
    "last-modified": new Date(version.changed).toUTCString(),
    location: `${base}/${version.type}/${version.id}/_history/${version.version}`,
  };
  return { status, headers, body: JSON.stringify(version.resource) };
}

export interface Page {
  readonly versions: readonly Version[];
  readonly total: number;
  /** Server time of the search, milliseconds. */
  readonly searched: number;
  readonly self: string;
  readonly next: string | undefined;
}

export function bundleAnswer(base: string, page: Page): SandboxAnswer {
  const link = [
    { relation: "self", url: page.self },
    ...(page.next === undefined ? [] : [{ relation: "next", url: page.next }]),
  ];
  const entry = page.versions.map((version) => ({
    fullUrl: `${base}/${version.type}/${version.id}`,
    resource: version.resource,
    search: { mode: "match" },
  }));
  const meta = { lastUpdated: instant(page.searched) };
  const bundle = { resourceType: "Bundle", type: "searchset", meta, total: page.total, link };
  return { status: 200, headers: fhir, body: JSON.stringify(entry.length === 0 ? bundle : { ...bundle, entry }) };
}

/** `diagnostics` repeats what was sent, as real servers do: nobody may let it through. */
export function outcomeAnswer(status: number, code: string, expression?: string, diagnostics?: string): SandboxAnswer {
  const issue = {
    severity: "error",
    code,
    ...(diagnostics === undefined ? {} : { diagnostics }),
    ...(expression === undefined ? {} : { expression: [expression] }),
  };
  return { status, headers: fhir, body: JSON.stringify({ resourceType: "OperationOutcome", issue: [issue] }) };
}

export function problemAnswer(problem: Problem, body: string): SandboxAnswer {
  return outcomeAnswer(problem.status, problem.code, problem.expression, `refused: ${body.slice(0, 500)}`);
}

export function capabilityStatement(base: string, types: readonly string[], date: number): JsonObject {
  const interactions = ["read", "create", "update", "search-type"].map((code) => ({ code }));
  const resources = types.map((type) => ({
    type,
    interaction: interactions,
    versioning: "versioned-update",
    conditionalCreate: true,
    searchParam: parametersOf(type).map((name) => ({ name, type: "string" })),
  }));
  return {
    resourceType: "CapabilityStatement",
    status: "active",
    date: instant(date),
    kind: "instance",
    fhirVersion: "4.0.1",
    format: ["json"],
    implementation: { description: "Sluice sandbox EHR", url: base },
    rest: [{ mode: "server", resource: resources }],
  };
}
