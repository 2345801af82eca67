// Every consent on file, in memory, with a version for each subject, so that a decision and the check in the instant of
// sending need no I/O. The store keeps the same facts, encrypted; the book is filled from there at start.
import { sha256 } from "../core/ids.ts";
import type { Keys } from "../core/configuration.ts";
import type { Random } from "../core/ids.ts";
import { parseJson } from "../core/json.ts";
import { refKey, type RecordRef } from "../core/records.ts";
import { seal, unseal } from "../core/seal.ts";
import { compileConsent, type CompiledConsent, type ConsentRecord } from "../policy/consent.ts";
import type { ConsentFact, Facts } from "./ports.ts";

export interface ConsentReport {
  readonly system: string;
  readonly id: string;
  readonly version: string;
  readonly subject: RecordRef;
  /** Undefined: removed at the source. */
  readonly resource: unknown;
}

export class ConsentBook {
  readonly #facts: Facts;
  readonly #keys: Keys;
  readonly #random: Random;
  /** Subject → consent ref → consent. */
  readonly #bySubject = new Map<string, Map<string, CompiledConsent>>();
  readonly #subjects = new Map<string, RecordRef>();
  readonly #turns = new Map<string, Promise<void>>();
  readonly #timeZone: string;

  /** @param timeZone IANA zone for dates without one. */
  constructor(facts: Facts, keys: Keys, random: Random, timeZone: string) {
    this.#timeZone = timeZone;
    this.#facts = facts;
    this.#keys = keys;
    this.#random = random;
  }

  async load(): Promise<void> {
    for await (const fact of this.#facts.all()) this.#rememberFact(fact);
  }

  /** Another process may have stored it. */
  reload(system: string, id: string): Promise<void> {
    return this.#inTurn(consentRef({ system, id }), async () => {
      const fact = await this.#facts.consent(system, id);
      if (fact) this.#rememberFact(fact);
    });
  }

  /** Stores what a source reported, durably, then makes it count. True when it is news. */
  put(report: ConsentReport): Promise<boolean> {
    return this.#inTurn(consentRef(report), () => this.#put(report));
  }

  async #put(report: ConsentReport): Promise<boolean> {
    const gone = report.resource === undefined;
    const context = consentRef(report);
    const sealed = gone ? "" : seal(this.#keys.data, JSON.stringify(report.resource), context, this.#random);
    const { system, id, version, subject } = report;
    const news = await this.#facts.putConsent({ system, id, version, subject, sealed, gone });
    // Always, not only when the store calls it news: another process may have stored it first.
    this.#remember(report, report.resource);
    return news;
  }

  of(subjects: readonly RecordRef[]): readonly CompiledConsent[] {
    return subjects.flatMap((subject) => [...(this.#bySubject.get(refKey(subject))?.values() ?? [])]);
  }

  /** Whom a consent was last known to be about. */
  subjectOf(system: string, id: string): RecordRef | undefined {
    return this.#subjects.get(consentRef({ system, id }));
  }

  /** Every consent in the book that came from `system`. */
  idsFrom(system: string): readonly { readonly id: string; readonly version: string; readonly subject: RecordRef }[] {
    const found: { id: string; version: string; subject: RecordRef }[] = [];
    for (const consents of this.#bySubject.values()) {
      for (const [ref, { ref: own, version }] of consents) {
        const subject = this.#subjects.get(ref);
        if (own.system === system && subject) found.push({ id: own.id, version, subject });
      }
    }
    return found;
  }

  /** Changes whenever a consent of one of the subjects does. Synchronous. */
  version(subjects: readonly RecordRef[]): string {
    const versions = this.of(subjects).map((consent) => `${refKey(consent.ref)}@${consent.version}`);
    return versions.length === 0 ? "none" : sha256(versions.sort().join("\n")).slice(0, 22);
  }

  /** What is read of one consent is never remembered after what was stored later. */
  async #inTurn<T>(ref: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(ref) ?? Promise.resolve()).then(work);
    const done = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(ref, done);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(ref) === done) this.#turns.delete(ref);
    }
  }

  #rememberFact(fact: ConsentFact): void {
    const text = fact.gone ? undefined : unseal(this.#keys.data, fact.sealed, consentRef(fact)).toString("utf8");
    this.#remember(fact, text === undefined ? undefined : parseJson(text));
  }

  /** One that cannot even be read is a refusal, not an end of all polls. */
  #compiled(record: ConsentRecord): CompiledConsent {
    try {
      return compileConsent(record, this.#timeZone);
    } catch {
      return compileConsent({ ...record, resource: { resourceType: "Consent", status: "active" } }, this.#timeZone);
    }
  }

  #remember(fact: Pick<ConsentFact, "system" | "id" | "version" | "subject">, resource: unknown): void {
    const ref = consentRef(fact);
    const before = this.#subjects.get(ref);
    if (before) this.#bySubject.get(refKey(before))?.delete(ref);
    const subject = refKey(fact.subject);
    this.#subjects.set(ref, fact.subject);
    if (resource === undefined) return;
    const consents = this.#bySubject.get(subject) ?? new Map<string, CompiledConsent>();
    const record = { ref: { system: fact.system, type: "Consent", id: fact.id }, version: fact.version, resource };
    consents.set(ref, this.#compiled(record));
    this.#bySubject.set(subject, consents);
  }
}

function consentRef(consent: { readonly system: string; readonly id: string }): string {
  return `${consent.system}/Consent/${consent.id}`;
}
