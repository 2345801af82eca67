// What the sandbox org is started with.
import type { SandboxOptions } from "../../../src/connector/sandbox.ts";
import type { Random } from "../../../src/core/ids.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { NoticeTarget } from "./notices.ts";
import type { ValidationRule } from "./org.ts";

export interface SalesforceSandboxOptions extends SandboxOptions {
  readonly organizationId: string;
  readonly clientId: string;
  readonly username: string;
  /** RSA public key, JWK, of the certificate that assertions are checked with. */
  readonly publicKey: JsonObject;
  /** Accepted `aud` besides the sandbox's own origin; default login.salesforce.com and test.salesforce.com. */
  readonly audiences?: readonly string[];
  readonly port?: number;
  /** Text fields of the deployment's own, by object. */
  readonly customFields?: Readonly<Record<string, readonly string[]>>;
  readonly validationRule?: ValidationRule;
  /** Daily API calls, as told in `Sforce-Limit-Info`. */
  readonly apiLimit?: number;
  /** Sent with throttled answers, so that a demonstration need not wait; the real org sends none. */
  readonly retryAfterSeconds?: number;
  readonly notify?: NoticeTarget;
  readonly random?: Random;
}
