// A process that takes a lane's wake-up and never finishes: `hold-lane.ts pglite DIR | redis URL PREFIX`, with the id key
// in hexadecimal as last argument. Prints HELD; to be killed.
import { BullQueue } from "../../../src/queue/bull-queue.ts";
import { pgliteConnection } from "../../../src/queue/pglite.ts";
import { redisConnection } from "../../../src/queue/redis.ts";
import { pgliteTemplate } from "../../backends/pglite-template.ts";

const [backend, where = "", ...rest] = process.argv.slice(2);
const open =
  backend === "redis"
    ? redisConnection(where, { prefix: rest[0] ?? "" })
    : pgliteConnection(where, { template: await pgliteTemplate() });
const queue = await BullQueue.open(open, { idKey: Buffer.from(rest.at(-1) ?? "", "hex") });
await queue.onWake(() => {
  console.log("HELD");
  return new Promise(() => undefined);
}, 1);
await queue.wake("person-1");
