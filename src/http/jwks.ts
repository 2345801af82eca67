// Sluice's public keys at /.well-known/jwks.json: what an EHR needs to check our client assertions (SMART Backend
// Services). Only the public members of each key are copied, by name.
import type { Keys } from "../core/configuration.ts";
import type { JsonObject } from "../core/json.ts";

const publicMembers = ["kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e"] as const;

export function publicJwks(keys: Keys): { readonly keys: readonly JsonObject[] } {
  return { keys: keys.signing.map(publicJwk) };
}

export function publicJwk(key: JsonObject): JsonObject {
  const members = publicMembers.filter((name) => name !== "key_ops").map((name) => [name, key[name]] as const);
  return { ...Object.fromEntries(members.filter(([, value]) => value !== undefined)), key_ops: ["verify"] };
}
