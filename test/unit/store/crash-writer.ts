// A process that writes to the store given to it as fast as it can, and says each row's id once it was answered.
import { openEmbeddedStore } from "../../../src/store/embedded/open.ts";
import { entry, newRow } from "../../contract/store/samples.ts";

const store = await openEmbeddedStore({ directory: process.argv[2] ?? "" });
for (;;) {
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      const row = newRow();
      await Promise.all([store.ledger.accept([row]), store.audit.append([entry(row.id)])]);
      process.stdout.write(`${row.id}\n`);
    }),
  );
}
