// Which room may import which, as data: `imports.test.ts` holds the code to it, ARCHITECTURE.md prints it
// (`node test/architecture/arrows.ts` writes the table for it).

/** A room of `src/`, or one of the places outside that import from it. Every room may import itself. */
export interface Room {
  readonly knows: readonly string[];
  /** What the room is for, for the table. */
  readonly holds: string;
}

const pure = ["core", "fhir"];

export const rooms: Readonly<Record<string, Room>> = {
  core: { knows: [], holds: "ids, states, decisions, errors, clock, JSON; no I/O" },
  fhir: { knows: ["core"], holds: "R4 knowledge" },
  policy: { knows: pure, holds: "agreements, consent, minimum necessary, access; pure" },
  deidentify: { knows: pure, holds: "Safe Harbor, limited data set; pure" },
  mapping: { knows: pure, holds: "the two-way CRM and FHIR mapping engine; pure" },
  audit: { knows: pure, holds: "AuditEvents, the chained log, verification; pure" },
  practice: { knows: pure, holds: "the synthetic practice of the demo and the tests; pure" },
  connector: { knows: pure, holds: "the connector contract, the outbound dispatcher, the registry" },
  exchange: {
    knows: [...pure, "policy", "deidentify", "mapping", "audit", "connector"],
    holds: "the kinds of exchange and their stages; talks to ports only",
  },
  store: { knows: [...pure, "audit", "exchange"], holds: "the ports' implementations; only it imports mongoose" },
  queue: { knows: ["core", "exchange"], holds: "the Queue port; only it imports bullmq, ioredis and pglite" },
  http: {
    knows: [...pure, "policy", "audit", "connector", "exchange"],
    holds: "proxy, webhooks, admin API, console, metrics; only it imports express and prom-client",
  },
  settings: {
    knows: [...pure, "policy", "deidentify", "mapping", "connector"],
    holds: "reads config/; only it reads process.env",
  },
  cli: {
    knows: [
      ...pure,
      "policy",
      "deidentify",
      "mapping",
      "audit",
      "practice",
      "connector",
      "exchange",
      "settings",
      "root",
    ],
    holds: "one file a command",
  },
  root: {
    knows: [
      ...pure,
      "policy",
      "deidentify",
      "mapping",
      "audit",
      "practice",
      "connector",
      "exchange",
      "store",
      "queue",
      "http",
      "settings",
      "connectors",
    ],
    holds: "main.ts, embedded.ts, production.ts, sandboxes.ts and others: the composition roots, no logic",
  },
  connectors: { knows: ["core", "fhir", "connector"], holds: "one folder a kind of system, and its sandbox" },
};

/** The table as ARCHITECTURE.md prints it. */
export function arrowTable(): string {
  const rows = Object.entries(rooms).map(
    ([name, { knows, holds }]) => `| ${name} | ${knows.join(", ") || "nobody"} | ${holds} |`,
  );
  return ["| room | may import | holds |", "| --- | --- | --- |", ...rows].join("\n");
}

if (import.meta.main) console.log(arrowTable());
