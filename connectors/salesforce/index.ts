// Salesforce as a system that Sluice talks to: Contact and Event, OAuth JWT bearer, REST API.
import type { ConnectorModule } from "../../src/connector/contract.ts";
import { connectionSchema, linkIdOf, originsOf } from "./connection.ts";
import { SalesforceConnector } from "./connector.ts";
import { stampResolutionMs } from "./cursor.ts";
import { objectTypes } from "./objects.ts";
import { canonicalId } from "./record-id.ts";

const salesforce: ConnectorModule = {
  name: "salesforce",
  kind: "crm",
  connection: connectionSchema,
  identity: ["organizationId"],
  capabilities: {
    types: objectTypes,
    mark: "stamp",
    stampResolutionMs,
    createIdempotent: true,
    precondition: "stamp",
    // Longer calls count against a limit that the whole organization shares.
    maxConcurrency: 5,
    delivers: false,
    tellsUsage: true,
  },
  canonicalId: (_type, id) => canonicalId(id),
  linkIdOf: (_type, record, connection) => linkIdOf(record, connection),
  origins: originsOf,
  open: (context) => new SalesforceConnector(context),
};

export default salesforce;
