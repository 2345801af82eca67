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
    ["crm", "ehr", "marketing"].map((system) => [
      system,
      { timeout: `${timeoutMs}ms`, visibleAfter: `${visibleAfterMs}ms` },
    ]),
  ),
  channels: {
    "crm-to-ehr": { pollEvery: "300ms" },
    "ehr-to-crm": { pollEvery: "300ms" },
    "ehr-to-marketing": { pollEvery: "500ms" },
  },
};
