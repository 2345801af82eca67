// The stage table as data: which stages each kind of exchange passes, in order. A test runs each kind and compares;
// ARCHITECTURE.md prints it (`test/architecture/page.test.ts`).

export const stages = [
  "receive",
  "authenticate",
  "identify",
  "select",
  "accept",
  "check",
  "resolve",
  "fetch",
  "judge",
  "convert",
  "reduce",
  "merge",
  "record",
  "deliver",
  "answer",
  "settle",
] as const;
export type Stage = (typeof stages)[number];

/** Words for the table in ARCHITECTURE.md. */
export const stageWords: Readonly<Record<Stage, string>> = {
  receive: "receive (size, type, shape; an id)",
  authenticate: "authenticate (token, webhook signature)",
  identify: "identify the interaction (closed grammar)",
  select: "select the channel",
  accept: "accept into the ledger, under a unique id",
  check: "check what does not depend on the patient: scope, type, purpose, agreement",
  resolve: "resolve the person (links)",
  fetch: "fetch from the source",
  judge: "judge every resource: whose, consent, label",
  convert: "convert (mapping)",
  reduce: "reduce (minimum necessary, obligations) or de-identify",
  merge: "read the destination's version, merge",
  record: "record the disclosure, durably",
  deliver: "release or deliver",
  answer: "answer the caller: judge, reduce, record, release",
  settle: "settle: outcome, link",
};

/** A sync event enters by `intake` (a notice pushed) or at `select` (a poll), and goes on in `run`. */
export const kinds = {
  "sync-event": {
    intake: ["receive", "authenticate", "select", "accept"],
    run: ["check", "resolve", "fetch", "judge", "convert", "reduce", "merge", "record", "deliver", "settle"],
  },
  feed: {
    intake: ["select", "accept"],
    run: ["check", "resolve", "fetch", "judge", "reduce", "record", "deliver", "settle"],
  },
} as const satisfies Record<string, { readonly intake: readonly Stage[]; readonly run: readonly Stage[] }>;
