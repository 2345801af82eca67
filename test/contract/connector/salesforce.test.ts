// The Salesforce connector passes the connector contract against the sandbox org, signed in by OAuth JWT bearer.
import salesforce from "../../../connectors/salesforce/index.ts";
import type { SalesforceSandbox } from "../../../connectors/salesforce/sandbox/index.ts";
import { fields, missingId, startOrg } from "../../unit/connectors/salesforce/bench.ts";
import { connectorContract, type ContractSandbox, type ContractSubject } from "./contract.ts";

const linkField = "Sluice_Link_Id__c";

function contractSandbox(sandbox: SalesforceSandbox): ContractSandbox {
  return {
    put: (body, agoMs) => sandbox.put("Contact", body, agoMs),
    rename: (id, family) => {
      sandbox.edit("Contact", id, { LastName: family });
    },
    size: () => sandbox.records("Contact").size,
    counts: sandbox.counts,
    requestIds: () => sandbox.log.map((seen) => seen.requestId),
    setFault: (fault) => {
      sandbox.setFault(fault === undefined ? undefined : () => fault);
    },
    rejectWrites: () => {
      sandbox.setValidationRule((_, record) => ({ message: `${String(record["LastName"])} is not welcome` }));
    },
    close: () => sandbox.close(),
  };
}

async function setUp(): Promise<ContractSubject> {
  const { clock, keys, sandbox, system } = await startOrg({ overlapSeconds: 60 });
  const person = (family: string) => ({ LastName: family, FirstName: "Ana", Birthdate: "1980-02-29" });
  return {
    module: salesforce,
    system,
    keys,
    clock,
    advance: clock.advance,
    type: "Contact",
    fields,
    missingId,
    overlapMs: 60_000,
    sandbox: contractSandbox(sandbox),
    person,
    created: (family, linkId) => ({ ...person(family), [linkField]: linkId }),
    renamed: (_, family) => ({ LastName: family }),
    familyOf: (body) => body["LastName"],
    query: (family, birthDate = "1980-02-29") => ({ family, given: "Ana", birthDate }),
  };
}

connectorContract("salesforce", setUp);
