// Every metric of Sluice, by name: what it counts, in which unit, under which labels. Labels are channels, systems, states
// and codes of closed lists; never an id, a name or a value (ARCHITECTURE, What always holds 12).
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** From a commit on a local disk to a majority that is far away. */
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A registry of its own for each gateway, so that two of them in one process do not mix. */
export function createMeters() {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name: `sluice_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> =>
    new Gauge({ name: `sluice_${name}`, help, labelNames, registers });
  return {
    registry,
    // Counted where it happens, by this process since it began.
    notices: counter("notices_total", "Notices given to the ledger; known: it had them already", ["channel", "result"]),
    decisions: counter("decisions_total", "Decisions on record: permit, deny", ["channel", "decision"]),
    deliveries: counter("deliveries_total", "What became of attempts: applied, failed, not-sent, unknown", [
      "channel",
      "outcome",
    ]),
    ended: counter("exchanges_ended_total", "Exchanges that ended, by their last state", ["channel", "state"]),
    retries: counter("retries_total", "Failures after which an exchange is tried again", ["channel", "cause"]),
    waits: counter("waits_total", "Times that an exchange had to wait for want of an answer", ["channel", "cause"]),
    quarantines: counter("quarantines_total", "Exchanges that went to quarantine", ["channel", "cause"]),
    auditEntries: counter("audit_entries_total", "Entries of the audit log, by kind", ["kind"]),
    auditWait: new Histogram({
      name: "sluice_audit_wait_seconds",
      help: "How long a step waited until its audit entries were durable",
      labelNames: ["step"] as const,
      buckets: seconds,
      registers,
    }),
    storeFailures: counter("store_failures_total", "Writes that the store did not take", ["step", "code"]),
    lanesRunning: gauge("lanes_running", "Lanes that this process holds now", ["kind"]),
    // Read when somebody asks, from this process.
    info: gauge("info", "1; the configuration that this process runs", ["configuration"]),
    takesNewWork: gauge("takes_new_work", "0 while another configuration is current, or at the end", []),
    memoryFresh: gauge("memory_fresh", "0 while it is unknown whether consents or pauses changed: nothing leaves", []),
    paused: gauge("system_paused", "1 while the system takes no requests and a person is needed", ["system"]),
    stopped: gauge("channel_stopped", "1 while the brake has stopped the channel and a person must decide", [
      "channel",
    ]),
    queueUp: gauge("queue_up", "0 when the queue gives no answer", []),
    queueJobs: gauge("queue_jobs", "Wake-ups in the queue: waiting, active", ["state"]),
    // Read from the store, the same in every process: take max() over instances, not sum().
    storeUp: gauge("store_up", "0 when the store gave no answer; what is read from it is absent then", []),
    storeReadAge: gauge("store_read_age_seconds", "How old the figures are that are read from the store", []),
    exchanges: gauge("exchanges", "Exchanges that have not ended: queued, sending, applied, quarantined", [
      "channel",
      "state",
    ]),
    waiting: gauge("exchanges_waiting", "Queued exchanges that wait, by what they wait for", ["channel", "cause"]),
    quarantined: gauge("exchanges_quarantined", "Exchanges that need a person, by cause", ["channel", "cause"]),
    oldestQueued: gauge("oldest_queued_seconds", "Age of the oldest queued exchange; 0 = none is queued", ["channel"]),
    pollAge: gauge("poll_age_seconds", "Since when no poll of this type has ended well", ["system", "type"]),
    throttled: gauge("system_throttled_seconds", "For how long the system wants no request (Retry-After)", ["system"]),
    circuitOpen: gauge("system_circuit_open", "1 while failures keep all but a probe away from the system", ["system"]),
    callsToday: gauge("system_calls_today", "Requests of this day, which its daily limit counts", ["system"]),
    auditHead: gauge("audit_head", "Number of the newest batch of the audit log", []),
  };
}

export type Meters = ReturnType<typeof createMeters>;

/** Memory, CPU, event loop and garbage collection are the process's, whoever runs in it. */
let ofProcess: Registry | undefined;

export function processRegistry(): Registry {
  if (ofProcess) return ofProcess;
  ofProcess = new Registry();
  collectDefaultMetrics({ register: ofProcess });
  return ofProcess;
}

/** A label that can only be a word of a closed list: what does not look like one is counted as `other`. */
export function word(text: string | undefined): string {
  return text !== undefined && /^[a-z][a-z0-9-]{0,62}$/.test(text) ? text : "other";
}

/** The cause code of a quarantine group: `CAUSE:CHANNEL:…`. */
export function causeOfGroup(group: string | undefined): string {
  return word(group?.split(":")[0]);
}
