// The check before the request (ARCHITECTURE, Order of writes). Each outbound request finds here, through
// AsyncLocalStorage, the exchange it belongs to; a guard may refuse it in the very instant of sending. No client
// library allows "no await between" the decision and the socket, so the check lives in the dispatcher and is
// synchronous.
import { AsyncLocalStorage } from "node:async_hooks";

export interface RequestGuard {
  /** Sent as `X-Request-Id`: joins a system's own log with ours; opaque, no PHI. */
  readonly requestId: string;
  /** For whom the request is made: requests of different channels take turns at a system. */
  readonly channel?: string;
  /** Backfill: waits behind live work. */
  readonly background?: boolean;
  /**
   * Called synchronously before each request is put on a connection. Throws SluiceError (`not-sent`, `lane-lost`) to
   * refuse it. `unsafe` = not GET, HEAD or OPTIONS, and not the token endpoint.
   */
  check(request: { readonly unsafe: boolean; readonly timeoutMs: number }): void;
}

const current = new AsyncLocalStorage<RequestGuard>();

export function withGuard<T>(guard: RequestGuard, run: () => Promise<T>): Promise<T> {
  return current.run(guard, run);
}

export function currentGuard(): RequestGuard | undefined {
  return current.getStore();
}

const tokenRequest = new AsyncLocalStorage<true>();

/** Marks the requests of `run` as token requests: a POST that changes no record and is not counted as a write. */
export function asTokenRequest<T>(run: () => Promise<T>): Promise<T> {
  return tokenRequest.run(true, run);
}

export function isTokenRequest(): boolean {
  return tokenRequest.getStore() === true;
}
