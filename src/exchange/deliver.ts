// Stage: sends what is on record, once. The lane is renewed first if it is short; then the check before the request
// (`guards.ts`) has the last word, in the dispatcher, synchronously.
import type { Connector } from "../connector/contract.ts";
import { callSystem } from "./call-system.ts";
import { sendingGuard } from "./guards.ts";
import type { Permit } from "./judge.ts";
import { Recorded } from "./record.ts";
import { point, type Run } from "./run.ts";
import { versionNow } from "./versions.ts";

const marginMs = 250;

export async function deliver<T, U>(
  run: Run,
  recorded: Recorded<T>,
  permits: readonly Permit[],
  send: (connector: Connector, data: T) => Promise<U>,
): Promise<U> {
  const timeoutMs = run.active.configuration.systems.get(run.channel.to)?.timeoutMs ?? 0;
  await run.lane.need(timeoutMs + marginMs);
  const stillPermitted = (): boolean => permits.every((one) => versionNow(run.gateway, one) === one.version);
  const answer = await callSystem(run.gateway, run.channel.to, sendingGuard(run, stillPermitted), (connector) =>
    Recorded.deliver(recorded, (data) => send(connector, data)),
  );
  await point(run, "sent");
  return answer;
}
