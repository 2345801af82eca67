// Every operation that the store's thread knows, by name, and whether it writes. The other side's types come from here.
import * as audit from "./audit.ts";
import * as blobs from "./blobs.ts";
import * as changes from "./changes.ts";
import * as facts from "./facts.ts";
import * as lanes from "./lanes.ts";
import * as ledger from "./ledger.ts";
import * as links from "./links.ts";
import * as registers from "./registers.ts";
import * as rows from "./rows.ts";

export const reads = {
  peek: lanes.peek,
  due: lanes.due,
  held: lanes.held,
  row: rows.get,
  find: rows.find,
  counts: rows.counts,
  observation: rows.observation,
  auditHas: audit.has,
  auditPage: audit.page,
  auditHead: audit.head,
  pairOf: links.pairOf,
  link: links.get,
  personOf: links.personOf,
  recordsOf: links.recordsOf,
  linkHistory: links.history,
  consentsOf: facts.consentsOf,
  consentPage: facts.page,
  consent: facts.consent,
  changesHead: changes.head,
  changesSince: changes.since,
  register: registers.register,
  listRegisters: registers.listRegisters,
  cursor: registers.cursor,
  system: registers.system,
  currentVersion: registers.current,
  configuration: registers.configuration,
  decidedUnder: registers.decidedUnder,
  blob: blobs.get,
};

export const writes = {
  accept: ledger.accept,
  claimLane: lanes.claim,
  renew: lanes.renew,
  release: lanes.release,
  freeAll: lanes.freeAll,
  redirect: lanes.redirect,
  head: ledger.head,
  move: ledger.move,
  begin: ledger.begin,
  unsend: ledger.unsend,
  settle: ledger.settle,
  defer: ledger.defer,
  hasten: ledger.hasten,
  quarantine: ledger.quarantine,
  finish: ledger.finish,
  supersede: ledger.supersede,
  retry: ledger.retry,
  cancelWhere: ledger.cancelWhere,
  observe: rows.observe,
  auditAppend: audit.append,
  claimRecords: links.claim,
  putLink: links.put,
  putConsent: facts.putConsent,
  moveCursor: registers.moveCursor,
  bind: registers.bind,
  pause: registers.pause,
  resume: registers.resume,
  activate: registers.activate,
  setDecidedUnder: registers.setDecidedUnder,
  moveRegister: registers.moveRegister,
  putBlob: blobs.put,
  eraseBlob: blobs.erase,
  personKey: registers.personKey,
  pseudonym: registers.pseudonym,
};

export const operations = { ...reads, ...writes };
export type Operations = typeof operations;
export type OperationName = keyof Operations;

/** Arguments without the transaction, which the thread adds. */
export type Arguments<Name extends OperationName> =
  Parameters<Operations[Name]> extends [unknown, ...infer Rest] ? Rest : never;
export type Result<Name extends OperationName> = ReturnType<Operations[Name]>;

export const isWrite = (name: OperationName): boolean => name in writes;
