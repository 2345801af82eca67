// A Salesforce org on loopback: login server, REST API, its users' edits, notices, and faults on request. Good enough that
// the vendor's own client works with it; not a copy of the product.
import { startLoopback, type RunningServer, type SandboxOptions } from "../../../src/connector/sandbox.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { systemRandom } from "../../../src/core/ids.ts";
import { Gate, type SeenRequest } from "./gate.ts";
import { Notices, type NoticeTarget } from "./notices.ts";
import type { SalesforceSandboxOptions } from "./options.ts";
import { Org, type ValidationRule, type Version } from "./org.ts";
import { orgSchema, type Fields } from "./schema.ts";
import { Tokens } from "./tokens.ts";

export type { SeenRequest } from "./gate.ts";
export type { NoticeTarget } from "./notices.ts";
export type { SalesforceSandboxOptions } from "./options.ts";
export type { ValidationRule, Version } from "./org.ts";
export type { Fields } from "./schema.ts";

export interface SalesforceSandbox extends RunningServer {
  /** `requests` and `writes` are those of the REST API, faults included; `tokens` counts token requests. */
  readonly counts: { readonly requests: number; readonly writes: number; readonly tokens: number };
  /** The last 1,000 REST requests. */
  readonly log: readonly SeenRequest[];
  /** Live records by 18-character id, as the API shows them. */
  records(type: string): ReadonlyMap<string, Fields>;
  /** A user's new record; answers its id. `agoMs` gives it an older change time. Throws when the org refuses it. */
  put(type: string, fields: Readonly<Record<string, unknown>>, agoMs?: number): string;
  /** A user's edit. */
  edit(type: string, id: string, fields: Readonly<Record<string, unknown>>): void;
  remove(type: string, id: string): void;
  /** Every version of a record, oldest first. */
  history(type: string, id: string): readonly Version[];
  setFault(fault: SandboxOptions["fault"]): void;
  setValidationRule(rule: ValidationRule | undefined): void;
  /** Access tokens given out so far are refused from now on. */
  revokeTokens(): void;
  /** The org presents itself as another one, as a refreshed sandbox does. */
  setOrganization(id: string): void;
  /** Where notices of users' edits go from now on. */
  setNotify(target: NoticeTarget | undefined): void;
  /** Resolves when all notices so far were answered or failed. */
  noticesSent(): Promise<void>;
}

export async function startSalesforceSandbox(options: SalesforceSandboxOptions): Promise<SalesforceSandbox> {
  const now = options.now ?? (() => systemClock.now());
  const random = options.random ?? systemRandom;
  const org = new Org(orgSchema(options.customFields), now);
  org.rule = options.validationRule;
  const notices = new Notices(options.notify, now, random);
  const audiences = options.audiences ?? ["https://login.salesforce.com", "https://test.salesforce.com"];
  const tokens = new Tokens({ ...options, audiences, now, random }, options.organizationId);
  const gate = new Gate(options, org, tokens, now);
  const server = await startLoopback((request) => gate.answer(request), options.port);
  gate.origin = server.origin;
  const user = { by: "user" } as const;
  return {
    ...server,
    counts: gate.counts,
    log: gate.log,
    records: (type) => org.records(type),
    put: (type, fields, agoMs = 0) => {
      const id = org.create(type, fields, { ...user, agoMs });
      notices.send({ type, id, event: "change" });
      return id;
    },
    edit: (type, id, fields) => {
      org.update(type, id, fields, user);
      notices.send({ type, id, event: "change" });
    },
    remove: (type, id) => {
      org.remove(type, id);
      notices.send({ type, id, event: "delete" });
    },
    history: (type, id) => org.history(type, id),
    setFault: (fault) => {
      gate.fault = fault;
    },
    setValidationRule: (rule) => {
      org.rule = rule;
    },
    revokeTokens: () => {
      tokens.revokeAll();
    },
    setOrganization: (id) => {
      tokens.organizationId = id;
    },
    setNotify: (target) => {
      notices.target = target;
    },
    noticesSent: () => notices.settled(),
  };
}
