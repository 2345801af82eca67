// The times of a fault run: the example configuration with everything short, and how long a stall lasts by comparison.

export const leaseMs = 2_000;
export const graceMs = 2_000;
export const timeoutMs = 1_000;
export const visibleAfterMs = 500;
export const ceilingMs = 600_000;
/** Long enough for a sweep to see the lane stand still for lease and grace, and for another drainer to take it. */
export const holdMs = leaseMs + graceMs + 3_000;
export const blockMs = leaseMs + 1_000;

/** The example configuration with short times. */
export const quick = {
  sluice: { retry: { base: "100ms", cap: "1s", maxAttempts: 50 }, lease: `${leaseMs}ms` },
  systems: Object.fromEntries(
    Object.entries({ crm: 5, ehr: 16, marketing: undefined }).map(([system, concurrency]) => [
      system,
      {
        timeout: `${timeoutMs}ms`,
        visibleAfter: `${visibleAfterMs}ms`,
        // A process that was killed keeps its places for 4 s: some must be left for the others.
        ...(concurrency !== undefined && { concurrency }),
      },
    ]),
  ),
  channels: {
    // Its users do in minutes what others do in a week; the brake has its own tests.
    "crm-to-ehr": { pollEvery: "300ms", brake: { cancellations: { perHour: 1_000_000 } } },
    "ehr-to-crm": { pollEvery: "300ms" },
    "ehr-to-marketing": { pollEvery: "500ms" },
  },
};
