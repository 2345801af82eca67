// Asked by the outbound dispatcher before each request: may it be made now? Who answers keeps to what the system bears and
// to what it asked for (`src/exchange/governor`); what a request says is decided elsewhere, by its guard.
import type { SluiceError } from "../core/errors.ts";

export interface AdmissionRequest {
  /** For whom it is made: requests of different channels take turns. */
  readonly channel: string;
  /** Backfill: behind live work. */
  readonly background: boolean;
}

/** What became of a request that was let through. */
export type Outcome =
  | { readonly kind: "answered"; readonly status: number; readonly retryAfter: string | undefined }
  /** No connection, or no answer: also when the request may have been carried out. */
  | { readonly kind: "failed" }
  /** It was never made. */
  | { readonly kind: "unused" };

/** Leave to make one request. */
export interface Place {
  /** Synchronous, in the instant of sending. Throws a transient SluiceError when the leave has been overtaken. */
  check(): void;
  /** Must be called once, when the request is over. */
  done(outcome: Outcome): void;
}

/** Its turn has not come yet. */
export interface Turn {
  /** Rejects with a transient SluiceError when the system turns out to be shut. */
  readonly place: Promise<Place>;
  /** Stops waiting; says why it was in vain. `place` may still have been given: then it must be given back. */
  giveUp(): SluiceError;
}

export interface Admission {
  /** Throws a transient SluiceError, with `retryAfter`, while the system is shut. */
  admit(request: AdmissionRequest): Place | Turn;
}
