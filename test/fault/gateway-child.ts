// The test's side of the gateway process: starts it, kills it, asks it to stand still, keeps what it writes to its log.
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { FromGateway, Stall, ToGateway } from "./gateway-process.ts";

const program = fileURLToPath(new URL("gateway-process.ts", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));

export interface GatewayChild {
  /** Base address of its HTTP server. */
  readonly address: string;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Resolves with the exchange that stood still, once it goes on; undefined when the process died before. */
  stall(stall: Stall): Promise<{ readonly exchange: string } | undefined>;
  /** Resolves with the exchange that has come to a point, where it stays; undefined when the process died before. */
  reach(point: Stall["point"]): Promise<string | undefined>;
  /** Asks for an orderly end; resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** @param log File that its standard output and error are added to. */
export async function startGateway(settings: string, log: string): Promise<GatewayChild> {
  const file = openSync(log, "a");
  const child = spawn(process.execPath, [program, settings], { cwd: root, stdio: ["ignore", file, file, "ipc"] });
  closeSync(file);
  const endWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const gone = new Promise<number | null>((resolve) =>
    child.once("exit", (code) => {
      process.off("exit", endWithUs);
      resolve(code);
    }),
  );
  const ready = await Promise.race([heard(child, (one) => ("ready" in one ? one.ready : undefined)), gone]);
  if (ready === null || typeof ready === "number")
    throw new Error(`the gateway did not start (exit ${ready}); see ${log}`);
  return {
    address: ready,
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
    async stall(stall) {
      const resumed = heard(child, (one) => ("resumed" in one ? { exchange: one.resumed } : undefined));
      send(child, { stall });
      const first = await Promise.race([resumed, gone]);
      return typeof first === "object" && first !== null ? first : undefined;
    },
    async reach(point) {
      const stalled = heard(child, (one) => ("stalled" in one ? one.stalled : undefined));
      send(child, { stall: { how: "hold", point, ms: 3_600_000 } });
      const first = await Promise.race([stalled, gone]);
      return typeof first === "string" ? first : undefined;
    },
    stop() {
      send(child, { stop: true });
      return gone;
    },
  };
}

/** The first message of which `read` makes something. */
function heard<T>(child: ChildProcess, read: (message: FromGateway) => T | undefined): Promise<T> {
  return new Promise((resolve) => {
    const listen = (message: FromGateway): void => {
      const found = read(message);
      if (found === undefined) return;
      child.off("message", listen);
      resolve(found);
    };
    child.on("message", listen);
  });
}

function send(child: ChildProcess, message: ToGateway): void {
  if (child.connected) child.send(message);
}
