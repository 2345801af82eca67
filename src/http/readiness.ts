// Is this process able to do its work? Each check says so by itself; a 503 names the one that fails. No system is called:
// a slow EHR must not take the gateway out of service.
import type { Gateway } from "../exchange/gateway.ts";

export interface Check {
  readonly name: string;
  readonly ok: boolean;
}

export async function readiness(
  gateway: Gateway,
  takesNewWork: boolean,
): Promise<{ readonly ready: boolean; readonly checks: readonly Check[] }> {
  const checks = [
    { name: "store", ok: await answers(() => gateway.store.audit.head()) },
    { name: "queue", ok: await answers(() => gateway.queue.stats()) },
    { name: "configuration", ok: takesNewWork },
  ];
  return { ready: checks.every((check) => check.ok), checks };
}

async function answers(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch {
    return false;
  }
}
