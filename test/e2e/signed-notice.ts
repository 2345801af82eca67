// The headers of a notice as a system signs them (Standard Webhooks).
import { Webhook } from "standardwebhooks";

/** @param now Wall time of the one who signs, milliseconds; what is signed is whole seconds. */
export function signedHeaders(secret: string, id: string, body: string, now: number): Record<string, string> {
  const seconds = Math.floor(now / 1000);
  return {
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": new Webhook(secret).sign(id, new Date(seconds * 1000), body),
  };
}
