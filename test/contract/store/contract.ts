// What every implementation of the store ports must do. Each implementation's test file runs this suite against itself.
import type { Store } from "../../../src/exchange/ports.ts";
import { auditContract } from "./audit-contract.ts";
import { laneContract } from "./lane-contract.ts";
import { ledgerContract } from "./ledger-contract.ts";
import { linkContract } from "./link-contract.ts";
import { manyWaitingContract } from "./many-waiting.ts";
import { registerContract } from "./register-contract.ts";

export interface OpenedStore {
  readonly store: Store;
  /** Closes the store and removes its data. */
  close(): Promise<void>;
}

/** Gives the store of the running test. */
export type StoreOf = () => Store;

/** @param open Opens a new, empty store. */
export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`the ${name} store`, () => {
    let opened: OpenedStore | undefined;
    const store: StoreOf = () => {
      if (!opened) throw new Error("the store is not open");
      return opened.store;
    };
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(async () => {
      await opened?.close();
      opened = undefined;
    });
    laneContract(store);
    ledgerContract(store);
    auditContract(store);
    linkContract(store);
    registerContract(store);
    manyWaitingContract(store);
  });
}
