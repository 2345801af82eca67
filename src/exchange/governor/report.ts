// What `sluice systems` shows of a system, and what a person may do about it: from the store alone, so that it can be asked
// beside running processes.
import type { Configuration, SystemConfig } from "../../core/configuration.ts";
import type { Store } from "../ports.ts";
import { emptyBudget, readBudget, registerPrefix, type Budget } from "./budget.ts";
import { dayIn } from "./day.ts";
import { dailyMost, isUsedUp } from "./leases.ts";

export interface SystemReport {
  readonly system: string;
  readonly name: string;
  readonly environment: SystemConfig["environment"];
  /** `unseen`: it was never called; `other`: another identity is bound than the configuration says. */
  readonly identity: "bound" | "unseen" | "other";
  readonly paused: { readonly since: number; readonly cause: string; readonly fix: string } | undefined;
  /** `unreadable`: the register holds what this version does not understand; nothing is sent. */
  readonly state: "called" | "asked to wait" | "circuit open" | "probing" | "used up" | "unreadable";
  /** Wall time until which nothing is sent; 0 = it ends otherwise, or is called. */
  readonly until: number;
  /** One after the other, since the last answer. */
  readonly failures: number;
  readonly concurrency: number;
  /** As of each process's last move. */
  readonly processes: readonly { readonly id: string; readonly granted: number; readonly demand: number }[];
  readonly quota: {
    readonly day: string;
    readonly used: number;
    readonly limit: number | undefined;
    readonly vendor: { readonly used: number; readonly limit: number } | undefined;
  };
  /** Undefined when there is nothing to do. */
  readonly todo: string | undefined;
}

type Registers = Pick<Store, "registers">;

export async function reportOn(
  store: Registers & Pick<Store, "systems">,
  configuration: Configuration,
  now: number,
): Promise<readonly SystemReport[]> {
  const reports = [...configuration.systems.values()].map(async (config) => {
    const { identity, paused } = await store.systems.get(config.id);
    const budget = await budgetOf(store, config.id);
    const { state, until } = stateOf(budget, config, configuration.timeZone, now);
    const { breaker, members, quota } = budget ?? emptyBudget();
    const isToday = quota.day >= dayIn(configuration.timeZone, now);
    const report = {
      system: config.id,
      name: config.name,
      environment: config.environment,
      identity: identityOf(config, identity),
      paused,
      state,
      until,
      failures: breaker.failures,
      concurrency: config.concurrency,
      processes: members.map(({ id, granted, demand }) => ({ id, granted, demand })),
      quota: {
        day: dayIn(configuration.timeZone, now),
        used: isToday ? quota.used : 0,
        limit: dailyMost(config, quota),
        vendor: quota.vendor,
      },
    };
    return { ...report, todo: todoFor(report) };
  });
  return Promise.all(reports);
}

async function budgetOf({ registers }: Registers, system: string): Promise<Budget | undefined> {
  const register = await registers.get(registerPrefix + system);
  try {
    return readBudget(register?.value);
  } catch {
    return undefined;
  }
}

function stateOf(
  budget: Budget | undefined,
  config: SystemConfig,
  timeZone: string,
  now: number,
): Pick<SystemReport, "state" | "until"> {
  if (!budget) return { state: "unreadable", until: 0 };
  const { closedUntil, breaker, quota } = budget;
  if (closedUntil > now) return { state: "asked to wait", until: closedUntil };
  if (breaker.opened > 0 && breaker.openUntil > now) return { state: "circuit open", until: breaker.openUntil };
  if (breaker.opened > 0) return { state: "probing", until: 0 };
  const isUsed = quota.day >= dayIn(timeZone, now) && isUsedUp(dailyMost(config, quota), quota.used, false);
  return { state: isUsed ? "used up" : "called", until: 0 };
}

function identityOf(
  { identity }: SystemConfig,
  bound: Readonly<Record<string, string>> | undefined,
): SystemReport["identity"] {
  if (!bound) return "unseen";
  const names = new Set([...Object.keys(identity), ...Object.keys(bound)]);
  return [...names].every((name) => identity[name] === bound[name]) ? "bound" : "other";
}

function todoFor({ system, identity, paused, state }: Omit<SystemReport, "todo">): string | undefined {
  if (paused) return `${paused.fix || "see its cause"}; it goes on by itself when it lets Sluice read again`;
  if (identity === "other") return "identity in its file is not the one that is bound: see docs/operations.md";
  const resume = `\`npx sluice systems resume ${system} --reason TEXT\``;
  switch (state) {
    case "called":
      return undefined;
    case "asked to wait":
      return `nothing: it goes on by itself; if its owner says that it is well, ${resume}`;
    case "circuit open":
    case "probing":
      return `see that it answers (\`npx sluice doctor\`); a probe goes out by itself, or at once with ${resume}`;
    case "used up":
      return "raise dailyLimit or dailyShare, or wait for the next day";
    case "unreadable":
      return `if all processes run this version: ${resume}`;
  }
}

/** Ends a wait, an open circuit or a pause by a person's word. False when there was none. */
export async function resume(store: Registers & Pick<Store, "systems">, system: string): Promise<boolean> {
  const wasPaused = await store.systems.resume(system);
  const name = registerPrefix + system;
  for (;;) {
    const register = await store.registers.get(name);
    const before = register && (await budgetOf(store, system));
    if (!register || (before && before.closedUntil === 0 && before.breaker.opened === 0)) return wasPaused;
    const { breaker, closedUntil } = emptyBudget();
    const after = JSON.stringify({ ...(before ?? emptyBudget()), breaker, closedUntil });
    if (await store.registers.move(name, register.version, after, { announce: true })) return true;
  }
}
