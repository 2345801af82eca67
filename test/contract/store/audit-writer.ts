// A process that appends to the audit log of a MongoDB store, several entries at a time, and says each one's key once the
// append was answered. Usage: audit-writer.ts URI DATABASE MIRROR NAME
import { openMongoStore } from "../../../src/store/mongo/open.ts";
import { entry } from "./samples.ts";

const [uri = "", database = "", mirrorHeadTo = "", name = ""] = process.argv.slice(2);
const store = await openMongoStore({ uri, database, mirrorHeadTo });
for (let n = 0; ; n += 3) {
  const keys = [n, n + 1, n + 2].map((serial) => `${name}.${serial}`);
  await Promise.all(
    keys.map(async (key) => {
      try {
        await store.audit.append([entry(key)]);
        process.stdout.write(`${key}\n`);
      } catch {
        // Not answered, so nothing is promised about it.
      }
    }),
  );
}
