// Runs the store contract against the embedded store.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedStore } from "../../../src/store/embedded/open.ts";
import { storeContract } from "./contract.ts";

storeContract("embedded", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-store-"));
  const store = await openEmbeddedStore({ directory });
  return {
    store,
    close: async () => {
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
});
