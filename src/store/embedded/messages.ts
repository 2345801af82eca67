// What the store's thread and its user say to each other.
import { SluiceError } from "../../core/errors.ts";
import type { ErrorCode, ErrorDetail } from "../../core/errors.ts";
import type { OperationName } from "./operations.ts";

export interface Request {
  readonly id: number;
  readonly name: OperationName;
  readonly values: readonly unknown[];
}

/** To the thread. `flush` and `close` are answered under their id. */
export type Message =
  | { readonly kind: "requests"; readonly requests: readonly Request[] }
  | { readonly kind: "flush" | "close"; readonly id: number };

export type Answer =
  { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: PlainError };

/** From the thread; the first is the answer to request 0: the file is open. */
export type Reply = readonly Answer[];

export interface ThreadOptions {
  readonly path: string;
  readonly mirrorTo: string;
  readonly maxPages: number | undefined;
}

/** A SluiceError as it travels: structured cloning would lose its class. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail: ErrorDetail;
}

export function plainError({ code, message, detail }: SluiceError): PlainError {
  return { code, message, detail };
}

export function thrownError({ code, message, detail }: PlainError): SluiceError {
  return new SluiceError(code, message, detail);
}
