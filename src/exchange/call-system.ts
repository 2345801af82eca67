// Every call to a system passes here: a paused system is not called, one is asked who it is before its first call, and a
// refused credential pauses it, once, instead of failing a thousand exchanges.
import type { Connector } from "../connector/contract.ts";
import { withGuard, type RequestGuard } from "../connector/guard.ts";
import { SluiceError } from "../core/errors.ts";
import type { Gateway } from "./gateway.ts";

/** A session may end once; a system that ends each new one refuses the credential. */
const mostSessionsEnded = 3;
const sessionsEnded = new WeakMap<Gateway, Map<string, number>>();

export async function callSystem<T>(
  gateway: Gateway,
  system: string,
  guard: RequestGuard,
  call: (connector: Connector) => Promise<T>,
): Promise<T> {
  gateway.pauses.check(system);
  const ended = sessionsEnded.get(gateway) ?? new Map<string, number>();
  sessionsEnded.set(gateway, ended);
  try {
    const { config, connector } = gateway.system(system);
    await gateway.identities.ensure(config, connector);
    const answer = await withGuard(guard, () => call(connector));
    ended.delete(system);
    return answer;
  } catch (error) {
    if (error instanceof SluiceError) gateway.governors.of(system).note(error);
    if (error instanceof SluiceError) await pauseFor(gateway, system, error, ended);
    throw error;
  }
}

async function pauseFor(
  gateway: Gateway,
  system: string,
  error: SluiceError,
  ended: Map<string, number>,
): Promise<void> {
  if (error.code === "identity-mismatch") {
    await gateway.pauses.pause(system, error.message, error.detail.hint ?? "");
    gateway.pauses.check(system);
  }
  if (error.code === "system-session-ended") ended.set(system, (ended.get(system) ?? 0) + 1);
  const refused = error.code === "system-refused-credential" || (ended.get(system) ?? 0) >= mostSessionsEnded;
  if (!refused) return;
  ended.delete(system);
  const code = error.detail.vendorCode ?? error.detail.status ?? "no code";
  const fix = error.detail.hint ?? "check Sluice's client registration, key and permissions at the system";
  await gateway.pauses.pause(system, `it refused Sluice's credential (${code})`, fix);
}
