// What the processes know together of each system's limits: throttled, circuit open, calls of the day.
import { readBudget, registerPrefix, type Budget } from "../../exchange/governor/budget.ts";
import type { Gateway } from "../../exchange/gateway.ts";
import type { Meters } from "./meters.ts";

/** Reads the budgets of all systems; answers how to show them. */
export async function readSystemFigures({ store, active, clock }: Gateway): Promise<(meters: Meters) => void> {
  const registers = new Map((await store.registers.list(registerPrefix)).map((one) => [one.name, one.value]));
  const systems = [...active.configuration.systems.keys()];
  const budgets = systems.map((id) => [id, budgetOf(registers.get(registerPrefix + id))] as const);
  const now = clock.now();
  return (meters) => {
    for (const [system, budget] of budgets) {
      if (!budget) continue;
      meters.throttled.set({ system }, Math.max(0, budget.closedUntil - now) / 1000);
      meters.circuitOpen.set({ system }, budget.breaker.opened > 0 ? 1 : 0);
      meters.callsToday.set({ system }, budget.quota.used);
    }
  };
}

/** A budget that cannot be read shows nothing of its system. */
function budgetOf(value: string | undefined): Budget | undefined {
  try {
    return readBudget(value);
  } catch {
    return undefined;
  }
}
