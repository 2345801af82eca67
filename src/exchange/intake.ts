// Intake of a pushed notice: receive, authenticate, select, accept. It is acknowledged only once its rows are durable.
// What it says is "this record changed, look": no data of the record is taken from it.
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { SluiceError } from "../core/errors.ts";
import { isJsonObject, parseJson } from "../core/json.ts";
import type { NoticeKind, RecordRef } from "../core/records.ts";
import { acceptRows } from "./accept.ts";
import type { Gateway } from "./gateway.ts";
import { channelsFor, rowFor } from "./notice.ts";

export interface PushedNotice {
  /** System id from the path. */
  readonly system: string;
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The body's bytes as text, exactly as sent. */
  readonly body: string;
}

/** Largest notice body, UTF-16 units. */
export const maxNotice = 16 * 1024;

const events: Readonly<Record<string, NoticeKind>> = {
  change: "change",
  delete: "delete",
  undelete: "undelete",
  merge: "merge",
};

/**
 * Answers how many channels took the notice. Throws `input-too-large`, `signature-invalid` (also for an unknown system),
 * `input-malformed`, `input-unknown-type`, `store-unavailable`.
 */
export async function takeNotice(gateway: Gateway, pushed: PushedNotice): Promise<number> {
  const enter = (stage: "receive" | "authenticate" | "select" | "accept"): void => gateway.trace?.(stage, "notice");
  enter("receive");
  if (pushed.body.length > maxNotice) {
    throw new SluiceError("input-too-large", `a notice has at most ${maxNotice} characters`, {
      hint: 'send {"type", "id", "event"} only: Sluice reads the record itself',
    });
  }
  enter("authenticate");
  const eventId = authenticate(gateway, pushed);
  const { source: named, kind } = readNotice(pushed);
  // One record, one name: a second spelling of an id would be a second record, and created a second time.
  const source = { ...named, id: gateway.system(named.system).canonicalId(named.type, named.id) };
  enter("select");
  const channels = channelsFor(gateway, source);
  if (channels.length === 0) {
    throw new SluiceError("input-unknown-type", "no channel carries records of this type from this system", {
      hint: "see `npx sluice check` for what is configured",
    });
  }
  enter("accept");
  const notice = { source, kind, mark: `e ${eventId}`, priority: "live" } as const;
  const rows = await Promise.all(channels.map((channel) => rowFor(gateway, channel, notice)));
  await acceptRows(gateway, rows);
  return channels.length;
}

/** Standard Webhooks: id, timestamp (5 minutes) and HMAC-SHA256 signature. Answers the event's id. */
function authenticate(gateway: Gateway, { system, headers, body }: PushedNotice): string {
  const secret = gateway.active.configuration.systems.get(system)?.webhookSecret;
  const id = headers["webhook-id"];
  if (secret === undefined || id === undefined || id.length > 256) throw refused();
  const signed = Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  try {
    new Webhook(secret).verify(body, signed);
  } catch (error) {
    if (error instanceof WebhookVerificationError || !(error instanceof SyntaxError)) throw refused();
    // A signed body that is not JSON: said below, to a caller who has proved who it is.
  }
  return id;
}

function refused(): SluiceError {
  return new SluiceError("signature-invalid", "the notice is not signed as configured for this system", {
    hint: "sign with the secret that the system's webhookSecret names (Standard Webhooks), clock within 5 minutes",
  });
}

const typeName = /^[A-Za-z][A-Za-z0-9_]{0,79}$/;
const recordId = /^[A-Za-z0-9\-.]{1,64}$/;

function readNotice({ system, body }: PushedNotice): { readonly source: RecordRef; readonly kind: NoticeKind } {
  const notice = parseJson(body, maxNotice);
  const { type, id, event } = isJsonObject(notice) ? notice : {};
  const kind = typeof event === "string" ? events[event] : undefined;
  const fits = typeof type === "string" && typeName.test(type) && typeof id === "string" && recordId.test(id);
  if (!fits || kind === undefined) {
    throw new SluiceError("input-malformed", "a notice is {type, id, event}", {
      hint: `type and id name the record; event is one of ${Object.keys(events).join(", ")}`,
    });
  }
  return { source: { system, type, id }, kind };
}
