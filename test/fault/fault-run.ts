// One fault run: sandboxes in this process, which survive; Sluice in others, which are killed, stalled and robbed while
// people edit on both sides; then quiet, and what is held is compared with what should be.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { systemRandom } from "../../src/core/ids.ts";
import { prng, type Prng } from "../../src/practice/prng.ts";
import { startSandboxes, type Sandboxes } from "../../src/sandboxes.ts";
import { loadKeys, makeKeys } from "../../src/settings/keys.ts";
import type { Deployment, Profile, Strike } from "./deployment.ts";
import { Users } from "./edits.ts";
import type { Expected } from "./invariants.ts";
import type { LedgerView } from "./ledger-view.ts";
import { NoticeFront } from "./notices.ts";
import { Population } from "./population.ts";
import { pollsDone } from "./quiet.ts";
import { Recovery, type Report } from "./report.ts";
import { recordsOf, type Snapshot } from "./snapshot.ts";
import { ceilingMs, quick, timeoutMs, visibleAfterMs } from "./times.ts";
import { Traffic } from "./traffic.ts";

export interface FaultRunOptions {
  readonly seed: number;
  readonly patients: number;
  readonly profile: Profile;
  /** Milliseconds between two strikes, at least and at most. */
  readonly pause?: readonly [number, number];
}

export interface FaultRunResult {
  readonly snapshot: Snapshot;
  readonly expected: Expected;
  readonly directory: string;
  readonly report: Report;
  /** Erases the directory, and what is stored elsewhere. */
  dispose(): Promise<void>;
}

/** A failed run's directory stays: whoever calls `dispose` says that it was good. */
export async function runFaults(options: FaultRunOptions): Promise<FaultRunResult> {
  const directory = await mkdtemp(join(tmpdir(), "sluice-fault-"));
  const run = await FaultRun.prepare(options, directory);
  try {
    return await run.go();
  } catch (error) {
    console.error(`fault run with seed ${options.seed} broke off; its directory is ${directory}`);
    throw error;
  } finally {
    await run.close();
  }
}

interface Parts {
  readonly directory: string;
  readonly sandboxes: Sandboxes;
  readonly population: Population;
  readonly traffic: Traffic;
  readonly view: LedgerView;
  readonly random: Prng;
  readonly deployment: Deployment;
}

class FaultRun {
  readonly #options: FaultRunOptions;
  readonly #parts: Parts;
  readonly #users: Users;
  readonly #front: NoticeFront;
  readonly #recovery: Recovery;
  readonly #startedAt = performance.now();

  private constructor(options: FaultRunOptions, parts: Parts, front: NoticeFront) {
    const { sandboxes, population, traffic, view } = parts;
    this.#options = options;
    this.#parts = parts;
    this.#front = front;
    this.#users = new Users(sandboxes, population, traffic, prng(options.seed + 3));
    this.#recovery = new Recovery(view, traffic);
  }

  static async prepare(options: FaultRunOptions, directory: string): Promise<FaultRun> {
    const { seed, profile } = options;
    const keysDir = join(directory, "keys");
    await mkdir(keysDir, { recursive: true, mode: 0o700 });
    const { references } = await makeKeys(keysDir, systemRandom);
    const keys = await loadKeys(references, { dir: keysDir, env: {} });
    const view = profile.viewOf(directory);
    const traffic = new Traffic(view, prng(seed + 1), timeoutMs, visibleAfterMs - 100);
    const at = Date.now();
    const crm = { ...traffic.options(), retryAfterSeconds: 1 };
    const sandboxes = await startSandboxes({
      keys,
      seed,
      patients: 0,
      at,
      crm,
      ehr: traffic.options(),
      sink: traffic.options(),
      overrides: { ...quick, sluice: { ...quick.sluice, keys: { ...references, signing: [...references.signing] } } },
    });
    try {
      const population = new Population(seed, at);
      population.fill(sandboxes, options.patients);
      const random = prng(seed + 2);
      const settings = {
        config: fileURLToPath(new URL("../../config", import.meta.url)),
        overrides: sandboxes.overrides,
        env: sandboxes.env,
        keysDir,
        keys: references,
      };
      const deployment = await profile.prepare({ directory, view, sandboxes, traffic, keys, settings, random });
      const front = await NoticeFront.open(() => deployment.gateways());
      const secret = sandboxes.env["CRM_WEBHOOK_SECRET"] ?? "";
      sandboxes.crm.setNotify({ url: `${front.origin}/webhooks/crm`, secret });
      return new FaultRun(options, { directory, sandboxes, population, traffic, view, random, deployment }, front);
    } catch (error) {
      await Promise.all([sandboxes.close(), view.close()]);
      throw error;
    }
  }

  async go(): Promise<FaultRunResult> {
    const { sandboxes, population, traffic, view, random, deployment, directory } = this.#parts;
    await deployment.start();
    const editing = new AbortController();
    const edits = this.#editUntil(editing.signal);
    const [least, most] = this.#options.pause ?? [200, 1_500];
    for (const strike of shuffled(deployment.strikes, random)) {
      await delay(least + random.int(most - least));
      await strike();
    }
    editing.abort();
    await edits;
    traffic.stormy = false;
    const calmAt = performance.now();
    await deployment.calm();
    const echoes = await this.#untilQuiet();
    const quietSeconds = Math.round((performance.now() - calmAt) / 1000);
    await sandboxes.crm.noticesSent();
    await traffic.settled();
    const { phi, neverLeave } = population.canaries;
    const leaks = await deployment.leaks([...phi, ...neverLeave]);
    await deployment.stop();
    const snapshot: Snapshot = {
      records: recordsOf(sandboxes, population, traffic),
      writes: traffic.writes,
      unaudited: traffic.unaudited,
      outcomes: await view.outcomes(),
      notices: await this.#notices(),
      echoes,
      batches: sandboxes.sink.received.map((batch) => batch.id),
      auditProblem: await deployment.auditProblem(),
      leaks,
      problems: deployment.problems(),
    };
    return {
      snapshot,
      expected: { persons: population.persons, visits: population.visits },
      directory,
      report: await this.#report(quietSeconds),
      dispose: async () => {
        await deployment.dispose();
        await rm(directory, { recursive: true, force: true });
      },
    };
  }

  async close(): Promise<void> {
    await this.#recovery.stop();
    await this.#parts.deployment.close();
    await this.#front.close();
    await this.#parts.sandboxes.close();
    await this.#parts.view.close();
  }

  async #editUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#users.edit();
      await delay(60 + this.#parts.random.int(120));
    }
  }

  /** Three full polls of every type without a write and without an open row; answers how many writes two more polls brought. */
  async #untilQuiet(): Promise<number> {
    const { view, traffic, directory } = this.#parts;
    const quiet = await pollsDone(view, traffic, { times: 3, quiet: true, withinMs: ceilingMs });
    if (!quiet) {
      const states = JSON.stringify(await view.states(), null, 1);
      throw new Error(`both sides were not quiet after ${ceilingMs / 1000} s: ${states}; logs: ${directory}`);
    }
    const before = traffic.writes.length;
    await pollsDone(view, traffic, { times: 2, quiet: false, withinMs: ceilingMs });
    return traffic.writes.length - before;
  }

  /** What became of each acknowledged notice. */
  async #notices(): Promise<Snapshot["notices"]> {
    const { acknowledged } = this.#front;
    const states = await this.#parts.view.statesOfMarks(acknowledged.map((id) => `e ${id}`));
    return new Map(acknowledged.map((id) => [id, states.get(`e ${id}`)]));
  }

  async #report(quietSeconds: number): Promise<Report> {
    const { traffic, view, deployment } = this.#parts;
    const { acknowledged, elsewhere, unheard } = this.#front;
    return {
      seconds: Math.round((performance.now() - this.#startedAt) / 1000),
      edits: this.#users.edits,
      writes: traffic.writes.length,
      takenOver: await deployment.takenOver(),
      notices: acknowledged.length,
      states: await view.states(),
      faults: await this.#recovery.lines(),
      remarks: [
        `Both sides had been polled and found quiet ${quietSeconds} s after the last fault and the last edit.`,
        `Of the notices ${elsewhere} were acknowledged when they were sent again; ${unheard} found no gateway and were left to the polls.`,
        ...deployment.remarks(),
      ],
    };
  }
}

function shuffled(strikes: readonly Strike[], random: Prng): readonly Strike[] {
  const order = [...strikes];
  for (let at = order.length - 1; at > 0; at -= 1) {
    const other = random.int(at + 1);
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  return order;
}
