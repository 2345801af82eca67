// A process that takes the lock on the directory given to it, says "held", and waits to be ended.
import { acquireLock } from "../../../src/store/embedded/lock.ts";

acquireLock(process.argv[2] ?? "");
process.stdin.resume(); // ends with its parent
process.stdin.on("end", () => process.exit(0));
console.log("held");
