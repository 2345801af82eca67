// The fhir-r4 connector passes the connector contract against the sandbox EHR, signed in by SMART Backend Services.
import { setTimeout as delay } from "node:timers/promises";
import fhirR4 from "../../../connectors/fhir-r4/index.ts";
import type { FhirSandbox, Resource } from "../../../connectors/fhir-r4/sandbox/index.ts";
import { startFhirSandbox } from "../../../connectors/fhir-r4/sandbox/index.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { keyPair, patient, scopes, standingClock, systemOf } from "../../unit/connectors/fhir-r4/bench.ts";
import { connectorContract, type ContractSandbox, type ContractSubject } from "./contract.ts";

function contractSandbox(sandbox: FhirSandbox): ContractSandbox {
  return {
    put: (body, agoMs) => sandbox.put(body as Resource, agoMs).id,
    rename: (id, family) => {
      sandbox.edit("Patient", id, (resource) => renamed(resource, family) as Resource);
    },
    size: () => sandbox.all("Patient").length,
    counts: sandbox.counts,
    requestIds: () => sandbox.requestIds,
    setFault: (fault) => {
      sandbox.setFault(fault === undefined ? undefined : () => fault);
    },
    rejectWrites: () => {
      sandbox.refuseWrites();
    },
    close: async () => {
      await sandbox.close();
      // The connector's idle connections learn of the end; a write on a connection that is just ending is ambiguous.
      await delay(20);
    },
  };
}

function renamed(body: JsonObject, family: string): JsonObject {
  return { ...body, name: [{ family, given: ["Ana"] }] };
}

async function setUp(): Promise<ContractSubject> {
  const clock = standingClock();
  const pair = await keyPair("ES384", "key-1");
  const clients = [{ clientId: "sluice", publicKeys: [pair.publicKey], scopes }];
  const sandbox = await startFhirSandbox({ now: clock.now, clients });
  const connection = { baseUrl: sandbox.baseUrl, clientId: "sluice", signingKeyId: "key-1", scopes };
  const identity = { issuer: sandbox.baseUrl, tokenEndpoint: `${sandbox.baseUrl}/token` };
  return {
    // A server shows either the first two names of the identity or the last two; this one has a SMART configuration.
    module: { ...fhirR4, identity: ["issuer", "tokenEndpoint"] },
    system: systemOf({ connection, clock, identity }),
    keys: { data: Buffer.alloc(32), id: Buffer.alloc(32), signing: [pair.privateKey] },
    clock,
    advance: clock.advance,
    type: "Patient",
    fields: [],
    missingId: "no-such-patient",
    overlapMs: 60_000,
    sandbox: contractSandbox(sandbox),
    person: (family) => patient(family),
    created: (family) => patient(family),
    renamed,
    familyOf: (body) => (body["name"] as readonly JsonObject[])[0]?.["family"],
    query: (family, birthDate = "1980-02-29") => ({ family, given: "Ana", birthDate }),
  };
}

connectorContract("fhir-r4", setUp);
