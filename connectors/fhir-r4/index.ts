// FHIR R4 servers: EHRs and other clinical systems, signed in to by SMART Backend Services.
import type { Connector, ConnectorContext, ConnectorModule } from "../../src/connector/contract.ts";
import { FhirClient } from "./client.ts";
import {
  baseOf,
  checkSignIn,
  connectionSchema,
  originsOf,
  parseConnection,
  type FhirConnection,
} from "./connection.ts";
import { discoverImplementation, discoverSmart } from "./discovery.ts";
import { FhirPoller } from "./poll.ts";
import { linkIdOf, types } from "./resource.ts";
import { FhirReader } from "./search.ts";
import { FhirWriter } from "./write.ts";

const fhirR4: ConnectorModule = {
  name: "fhir-r4",
  kind: "fhir",
  connection: connectionSchema,
  /** The first two where the server has a SMART configuration, else the others (ARCHITECTURE, What always holds 14). */
  identity: ["issuer", "tokenEndpoint", "baseUrl", "implementation"],
  capabilities: {
    types,
    mark: "version",
    stampResolutionMs: 1000,
    createIdempotent: true,
    precondition: "version",
    delivers: false,
  },
  linkIdOf: (_type, record, connection) => linkIdOf(record, parseConnection(connection).linkSystem),
  origins: (connection) => originsOf(parseConnection(connection)),
  open: (context) => {
    const connection = parseConnection(context.system.connection);
    checkSignIn(connection, context.system.environment);
    return openFhir(connection, context);
  },
};

function openFhir(connection: FhirConnection, context: ConnectorContext): Connector {
  const client = new FhirClient(connection, context);
  const reader = new FhirReader(connection, context, client);
  const poller = new FhirPoller(connection, context, client);
  const writer = new FhirWriter(connection, context, client);
  return {
    identify: () => identify(connection, context),
    read: (type, id, _fields, fresh = false) => reader.read(type, id, fresh),
    poll: (request) => poller.poll(request),
    findByLink: (type, linkId) => reader.findByLink(type, linkId),
    findPerson: (type, query) => reader.findPerson(type, query),
    create: (request) => writer.create(request),
    update: (request) => writer.update(request),
    close: () => Promise.resolve(),
  };
}

async function identify(connection: FhirConnection, context: ConnectorContext): Promise<Record<string, string>> {
  const smart = await discoverSmart(connection, context);
  if (smart) return { issuer: smart.issuer, tokenEndpoint: smart.tokenEndpoint };
  return { baseUrl: baseOf(connection), implementation: await discoverImplementation(connection, context) };
}

export default fhirR4;
