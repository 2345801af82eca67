// A worker process of its own: `worker-process.ts URL PREFIX IDKEY` (the key in hexadecimal). Prints READY, then RAN and the
// lane for each run; a lane whose name begins with `hold` it prints as HELD and never finishes. To be killed.
import { BullQueue } from "../../../src/queue/bull-queue.ts";
import { redisConnection } from "../../../src/queue/redis.ts";

const [url = "", prefix = "", idKey = ""] = process.argv.slice(2);
const queue = await BullQueue.open(redisConnection(url, { prefix }), { idKey: Buffer.from(idKey, "hex") });
await queue.onWake((lane) => {
  const isHeld = lane.startsWith("hold");
  console.log(`${isHeld ? "HELD" : "RAN"} ${lane}`);
  return isHeld ? new Promise(() => undefined) : Promise.resolve();
}, 4);
console.log("READY");
