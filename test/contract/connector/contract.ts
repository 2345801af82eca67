// The suite that every CRM and FHIR connector passes against its sandbox: reading, polling, links, writes under a
// precondition, faults and their retry classes, the guard, and error texts without PHI.
import type { Connector } from "../../../src/connector/contract.ts";
import { openOutbound, type Outbound, type OutboundOptions } from "../../../src/connector/outbound.ts";
import { systemRandom } from "../../../src/core/ids.ts";
import type { Bench, ContractSubject } from "./subject.ts";
import { describeErrorTexts } from "./error-text-part.ts";
import { describeFaults } from "./fault-part.ts";
import { describeGuard } from "./guard-part.ts";
import { describePolling } from "./poll-part.ts";
import { describeReading } from "./read-part.ts";
import { describeWriting } from "./write-part.ts";

export type { ContractSandbox, ContractSubject } from "./subject.ts";

/** Registers the suite under `name`. `setUp` runs before each test; the suite closes what it gives. */
export function connectorContract(name: string, setUp: () => Promise<ContractSubject>): void {
  describe(`connector contract: ${name}`, () => {
    let running: (Bench & { close(): Promise<void> }) | undefined;
    beforeEach(async () => {
      running = startBench(await setUp());
    });
    afterEach(async () => {
      await running?.close();
      running = undefined;
    });
    const bench = (): Bench => {
      if (!running) throw new Error("the bench is not set up");
      return running;
    };
    describeReading(bench);
    describePolling(bench);
    describeWriting(bench);
    describeFaults(bench);
    describeGuard(bench);
    describeErrorTexts(bench);
  });
}

function startBench(subject: ContractSubject): Bench & { close(): Promise<void> } {
  const opened: { connector: Connector; http: Outbound }[] = [];
  const open = (options: Partial<OutboundOptions> = {}): Connector => {
    const http = openOutbound({
      origins: subject.module.origins(subject.system.connection),
      timeoutMs: subject.system.timeoutMs,
      concurrency: subject.system.concurrency,
      maxBytes: 8 * 1024 * 1024,
      ...options,
    });
    const { system, clock, keys } = subject;
    const connector = subject.module.open({ system, http, clock, keys, random: systemRandom });
    opened.push({ connector, http });
    return connector;
  };
  const close = async () => {
    for (const { connector, http } of opened) {
      await connector.close();
      await http.close();
    }
    await subject.sandbox.close();
  };
  return { subject, connector: open(), open, close };
}
