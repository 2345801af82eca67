// A thread that says that the file is open, and dies of the first request.
import { parentPort } from "node:worker_threads";

parentPort?.on("message", () => {
  throw new Error("the thread dies");
});
parentPort?.postMessage([{ id: 0, value: undefined }]);
