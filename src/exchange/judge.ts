// Stage: decides whether this resource may go to this recipient for this purpose, at this moment. `Judged` can be made
// only here; everything after it travels with the permit inside.
import { Phi } from "../core/phi.ts";
import type { Channel } from "../core/configuration.ts";
import type { Decision, PurposeOfUse, Reason } from "../core/decision.ts";
import type { RecordRef } from "../core/records.ts";
import { Stop, waiting } from "./stop.ts";

export interface Permit {
  readonly recipient: string;
  readonly purpose: PurposeOfUse;
  readonly channel: Channel;
  readonly decision: Decision;
  /** Records whose consents were looked at. */
  readonly subjects: readonly RecordRef[];
  /** Versions of consents, agreements and configuration that the decision rests on. */
  readonly version: string;
}

/** Data that agreement and consent permit for one recipient and purpose. */
export class Judged<T> {
  readonly #data: Phi<T>;
  readonly permit: Permit;
  private constructor(data: Phi<T>, permit: Permit) {
    this.#data = data;
    this.permit = permit;
  }

  /** Throws a Stop: `denied` when a rule said no, `waiting` when no answer could be had. */
  static judge<T>(data: T, decision: Decision, permit: Omit<Permit, "decision">): Judged<T> {
    if (decision.outcome === "deny") throw new Stop({ kind: "denied", decision, basis: permit });
    if (decision.outcome !== "permit") throw waiting(decision.decidedBy.rule);
    return new Judged(new Phi(data), { ...permit, decision });
  }

  static open<T>(judged: Judged<T>): T {
    return Phi.open(judged.#data);
  }

  /** The same permit over a converted form of the same data. */
  static map<T, U>(judged: Judged<T>, convert: (data: T) => U): Judged<U> {
    return new Judged(new Phi(convert(Phi.open(judged.#data))), judged.permit);
  }
}

/** The decision of a refusal that no rule engine made: one reason. */
export function denied(reason: Omit<Reason, "outcome">): Stop {
  const decidedBy: Reason = { ...reason, outcome: "deny" };
  const decision: Decision = {
    outcome: "deny",
    decidedBy,
    reasons: [decidedBy],
    obligations: [],
    consents: [],
    agreements: [],
  };
  return new Stop({ kind: "denied", decision });
}
