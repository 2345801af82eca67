// The systems of a benchmark, in a process of their own, so that they do not share the gateway's event loop: the sandboxes
// with a synthetic practice, its users' edits on demand, and a recording of the requests that came in meanwhile.
import type { SandboxRequest } from "../src/connector/sandbox.ts";
import { systemClock } from "../src/core/clock.ts";
import { startSandboxes, type Sandboxes } from "../src/sandboxes.ts";
import { loadKeys } from "../src/settings/keys.ts";
import type { Overrides } from "../src/settings/files.ts";

export interface StartOrder {
  readonly order: "start";
  readonly keysDir: string;
  readonly references: Parameters<typeof loadKeys>[0];
  readonly seed: number;
  readonly patients: number;
  readonly overrides: Overrides;
}

export interface EditOrder {
  readonly order: "edit";
  readonly contacts: readonly string[];
  /** Last six digits of the first contact's number; the others get those that follow it. */
  readonly phone: number;
}

export type Order = StartOrder | EditOrder | { readonly order: "recorded" } | { readonly order: "stop" };

export interface RecordedRequest {
  readonly system: "crm" | "ehr";
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Started {
  readonly overrides: Overrides;
  readonly env: Readonly<Record<string, string>>;
  readonly contacts: readonly string[];
}

let sandboxes: Sandboxes | undefined;
let recorded: RecordedRequest[] = [];

function record(system: "crm" | "ehr", origin: string, request: SandboxRequest): undefined {
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
  const { method, url, body } = request;
  recorded.push({ system, method, url: `${origin}${url.pathname}${url.search}`, headers, body });
}

async function start(order: StartOrder): Promise<Started> {
  const { keysDir, references, seed, patients, overrides } = order;
  const keys = await loadKeys(references, { dir: keysDir, env: {} });
  const started = await startSandboxes({ keys, seed, patients, at: systemClock.now(), overrides });
  sandboxes = started;
  const { crm, ehr } = started;
  crm.setFault((request) => record("crm", crm.origin, request));
  ehr.setFault((request) => record("ehr", ehr.origin, request));
  return { overrides: started.overrides, env: started.env, contacts: [...crm.records("Contact").keys()] };
}

function phone(number: number): string {
  const digits = String(number % 1_000_000).padStart(6, "0");
  return `(555) 5${digits.slice(0, 2)}-${digits.slice(2)}`;
}

async function follow(order: Order): Promise<unknown> {
  if (order.order === "start") return start(order);
  if (order.order === "edit") {
    order.contacts.forEach((id, index) => {
      sandboxes?.crm.edit("Contact", id, { MobilePhone: phone(order.phone + index) });
    });
    recorded = [];
    return undefined;
  }
  if (order.order === "recorded") return recorded;
  await sandboxes?.close();
  setImmediate(() => process.disconnect());
  return undefined;
}

process.on("message", (order: Order) => {
  follow(order).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : "failed" }),
  );
});
