// A FHIR server that says exactly what a test wants, for the answers that a proper server would not give.
import { startLoopback, type SandboxAnswer, type SandboxRequest } from "../../../../src/connector/sandbox.ts";
import type { JsonObject } from "../../../../src/core/json.ts";
import { closeLater, openConnector, standingClock, type Opened } from "./bench.ts";

export interface Scripted extends Opened {
  readonly origin: string;
  readonly requests: readonly SandboxRequest[];
}

type Answer = SandboxAnswer | "cut" | "hang";

/** @param answer gets the request and the server's origin. */
export async function openScripted(answer: (request: SandboxRequest, origin: string) => Answer): Promise<Scripted> {
  const requests: SandboxRequest[] = [];
  let origin = "";
  const server = await startLoopback((request) => {
    requests.push(request);
    return Promise.resolve(answer(request, origin));
  });
  origin = server.origin;
  closeLater(() => server.close());
  const opened = openConnector({ connection: { baseUrl: `${origin}/fhir` }, clock: standingClock() });
  return { ...opened, origin, requests };
}

export function fhirJson(body: JsonObject, status = 200, headers: Record<string, string> = {}): SandboxAnswer {
  return { status, headers: { "content-type": "application/fhir+json", ...headers }, body: JSON.stringify(body) };
}

export function searchset(entry: readonly JsonObject[], more: JsonObject = {}): JsonObject {
  return { resourceType: "Bundle", type: "searchset", entry, ...more };
}
