// What a fault run and the profile under test agree on: the run makes people, edits, faulty systems and the judgement; a
// profile makes processes, the faults that strike them, and a look into its store.
import type { Keys } from "../../src/core/configuration.ts";
import type { Prng } from "../../src/practice/prng.ts";
import type { Sandboxes } from "../../src/sandboxes.ts";
import type { LedgerView } from "./ledger-view.ts";
import type { ProcessSettings } from "./sluice-process.ts";
import type { Traffic } from "./traffic.ts";

/** One fault, which is over, or well under way, when it resolves. */
export type Strike = () => Promise<void>;

export interface Profile {
  /** For people. */
  readonly name: string;
  /** The store need not be there yet. */
  viewOf(directory: string): LedgerView;
  /** Makes what processes share; starts none. */
  prepare(ground: Ground): Promise<Deployment>;
}

/** What a profile is given. */
export interface Ground {
  /** Its own, for files of every kind. */
  readonly directory: string;
  readonly view: LedgerView;
  readonly sandboxes: Sandboxes;
  readonly traffic: Traffic;
  readonly keys: Keys;
  readonly settings: Omit<ProcessSettings, "data" | "profile">;
  readonly random: Prng;
}

export interface Deployment {
  /** Starts all processes. */
  start(): Promise<void>;
  /** Base addresses of the processes that could take a notice. */
  gateways(): readonly string[];
  /** All that is to strike it; the run brings them into a random order. */
  readonly strikes: readonly Strike[];
  /** After the last strike: resolves when all processes and servers are there and work. */
  calm(): Promise<void>;
  /** Places in which one of these strings is found. Asked while the processes run. */
  leaks(canaries: readonly string[]): Promise<readonly string[]>;
  /** Ends all processes in an orderly way. */
  stop(): Promise<void>;
  /** What is wrong with the audit log, after `stop`. */
  auditProblem(): Promise<string | undefined>;
  /** How often a holder lost its lane to another. */
  takenOver(): Promise<number>;
  /** What else went wrong, one sentence each; any fails the run. */
  problems(): readonly string[];
  /** What else is to be said, one sentence each. */
  remarks(): readonly string[];
  /** Kills what still runs; leaves what is stored, for whoever asks why a run failed. */
  close(): Promise<void>;
  /** After `close`: erases what is stored elsewhere than in the run's directory. */
  dispose(): Promise<void>;
}

/** Where an exchange can be struck between two steps. */
export const points = ["accepted", "judged", "recorded", "sent", "applied", "linked"] as const;
