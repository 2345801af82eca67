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
  const ready = await Promise.race([heard(child, (message) => "ready" in message), gone]);
  if (ready === null || typeof ready === "number" || !("ready" in ready)) {
    throw new Error(`the gateway did not start (exit ${String(ready)}); see ${log}`);
  }
  return {
    address: ready.ready,
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
    async stall(stall) {
      const resumed = heard(child, (message) => "resumed" in message);
      send(child, { stall });
      const message = await Promise.race([resumed, gone]);
      return message !== null && typeof message === "object" && "resumed" in message
        ? { exchange: message.resumed }
        : undefined;
    },
    stop() {
      send(child, { stop: true });
      return gone;
    },
  };
}

function heard(child: ChildProcess, wanted: (message: FromGateway) => boolean): Promise<FromGateway> {
  return new Promise((resolve) => {
    const listen = (message: FromGateway): void => {
      if (!wanted(message)) return;
      child.off("message", listen);
      resolve(message);
    };
    child.on("message", listen);
  });
}

function send(child: ChildProcess, message: ToGateway): void {
  if (child.connected) child.send(message);
}
