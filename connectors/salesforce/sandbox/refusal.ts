// How the sandbox org says no: a JSON array of errors, as the REST API does.
import type { SandboxAnswer } from "../../../src/connector/sandbox.ts";

/** Thrown anywhere below the routes; becomes the answer. */
export class Refusal extends Error {
  readonly status: number;
  readonly errorCode: string;
  readonly fields: readonly string[];

  constructor(status: number, errorCode: string, message: string, fields: readonly string[] = []) {
    super(message);
    this.status = status;
    this.errorCode = errorCode;
    this.fields = fields;
  }
}

export function refusalAnswer(refusal: Refusal): SandboxAnswer {
  const { status, errorCode, message, fields } = refusal;
  return json(status, [{ message, errorCode, fields }]);
}

export function json(status: number, body: unknown): SandboxAnswer {
  return { status, headers: { "content-type": "application/json;charset=UTF-8" }, body: JSON.stringify(body) };
}
