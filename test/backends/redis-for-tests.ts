// The Redis of a test file: the one that `npm test` started, else one started here. Where there can be none, the file's
// tests are reported as not run (with CI=true they fail): never passed over in silence.
import { startOrSkip, type RunningBackend } from "./backend.ts";
import { startRedis } from "./redis.ts";

/** To be awaited in a `before` hook; skips its suite when there is no Redis. */
export async function redisForTests(hook: Mocha.Context): Promise<RunningBackend> {
  const running = process.env["SLUICE_TEST_REDIS_URL"];
  if (running) return { url: running, description: "started by npm test", close: () => Promise.resolve() };
  hook.timeout(120_000);
  return startOrSkip(hook, startRedis);
}
