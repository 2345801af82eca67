// The structured log that every room may write to; a composition root decides where it goes.

/** Structured log; implementations drop nothing and add nothing. Fields must be free of PHI. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
