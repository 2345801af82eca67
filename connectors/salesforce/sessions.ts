// Holds the access token: one is asked for at a time, all wait for it, and it is dropped when the org refuses it.
import { Connection } from "@jsforce/jsforce-node";
import type { ConnectorContext } from "../../src/connector/contract.ts";
import { SluiceError } from "../../src/core/errors.ts";
import { mint, type Grant } from "./auth.ts";
import type { SalesforceConnection } from "./connection.ts";
import { sameId } from "./record-id.ts";

export interface Session {
  /** The vendor's client with this session's token; it neither refreshes nor retries. */
  readonly client: Connection;
}

export class Sessions {
  readonly #connection: SalesforceConnection;
  readonly #context: ConnectorContext;
  #current: Session | undefined;
  #coming: Promise<Session> | undefined;

  constructor(connection: SalesforceConnection, context: ConnectorContext) {
    this.#connection = connection;
    this.#context = context;
  }

  async current(): Promise<Session> {
    for (;;) {
      if (this.#current) return this.#current;
      if (!this.#coming) return this.#start();
      try {
        return await this.#coming;
      } catch (error) {
        // Another exchange's guard stopped its token request: that says nothing about ours.
        if (!(error instanceof SluiceError) || (error.code !== "not-sent" && error.code !== "lane-lost")) throw error;
      }
    }
  }

  /** Forgets this session, unless a newer one is there already. */
  drop(session: Session): void {
    if (this.#current === session) this.#current = undefined;
  }

  /** A token of its own, asked for now: what the org says about itself. */
  async identify(): Promise<string> {
    return (await mint(this.#connection, this.#context)).organizationId;
  }

  #start(): Promise<Session> {
    const coming = this.#open().finally(() => {
      this.#coming = undefined;
    });
    this.#coming = coming;
    return coming;
  }

  async #open(): Promise<Session> {
    const grant = await mint(this.#connection, this.#context);
    this.#refuseOtherOrganization(grant);
    const { instanceUrl, apiVersion } = this.#connection;
    const client = new Connection({
      instanceUrl: new URL(instanceUrl).origin,
      version: apiVersion,
      accessToken: grant.accessToken,
      callOptions: { client: "Sluice" },
      // Its debug log holds whole addresses, so it stays silent whatever JSFORCE_LOG_LEVEL says.
      logLevel: "NONE",
    });
    this.#current = { client };
    return this.#current;
  }

  /** No data goes to an org that is not the one this system is bound to. */
  #refuseOtherOrganization(grant: Grant): void {
    const bound = this.#context.system.identity["organizationId"];
    if (bound === undefined || sameId(bound, grant.organizationId)) return;
    throw new SluiceError("identity-mismatch", "the org is not the one that this system is bound to", {
      hint: "check organizationId, clientId and loginUrl; a sandbox that was refreshed has a new organization id",
    });
  }
}
