// Why an exchange needs a person, as data: who can mend it and exactly how. Exchanges with the same group are shown as one
// item with its members, and mended by one action.
import type { SluiceError } from "../core/errors.ts";
import type { Owner } from "../core/records.ts";
import type { Problem } from "./ports.ts";
import { Stop } from "./stop.ts";

interface Cause {
  readonly owner: Owner;
  readonly text: string;
  readonly fix: string;
}

const retry = "then `npx sluice exchanges retry --group GROUP`";

export const causes = {
  "both-changed": {
    owner: "EHR analyst",
    text: "the same field was changed on both sides since they last agreed",
    fix: `make both records agree in the fields named, ${retry}`,
  },
  "weak-match": {
    owner: "EHR analyst",
    text: "the destination has a person with this name and birth date, but nothing else confirms that they are one",
    fix: `compare both records; add the missing phone, e-mail or identifier to either, ${retry}`,
  },
  "several-matches": {
    owner: "EHR analyst",
    text: "several persons at the destination have this name and birth date",
    fix: `merge the duplicates or complete their identifiers, ${retry}`,
  },
  "no-demographics": {
    owner: "CRM administrator",
    text: "without a full name and birth date (placeholders do not count) the person cannot be searched for safely",
    fix: `complete the name and the birth date at the source, ${retry}`,
  },
  "already-linked": {
    owner: "CRM administrator",
    text: "the matching person at the destination is linked to another record of the source",
    fix: `merge the duplicate records at the source, ${retry}`,
  },
  "duplicate-created": {
    owner: "EHR analyst",
    text: "two records at the destination carry the same Sluice link identifier",
    fix: `merge them at the destination, ${retry}`,
  },
  "destination-gone": {
    owner: "EHR analyst",
    text: "the linked record at the destination no longer exists",
    fix: `restore it at the destination, ${retry}`,
  },
  "two-patients": {
    owner: "EHR analyst",
    text: "the record names two patients",
    fix: `correct the record so that it names one, ${retry}`,
  },
  "no-patient": {
    owner: "EHR analyst",
    text: "the record names no patient that can be resolved",
    fix: `add the patient to the record, ${retry}`,
  },
  "identity-conflict": {
    owner: "EHR analyst",
    text: "records that belong together are known for different persons",
    fix: `find out which is right, ${retry}`,
  },
  "value-refused": {
    owner: "CRM administrator",
    text: "a value cannot be converted by the mapping",
    fix: `correct the fields named at the source, or extend the mapping's table, ${retry}`,
  },
  "resource-withheld": {
    owner: "privacy officer",
    text: "the resource carries an element that changes its meaning and that no rule covers",
    fix: `decide on the element and add a rule to the mapping or policy, \`npx sluice activate\`, ${retry}`,
  },
  "destination-rejected": {
    owner: "CRM administrator",
    text: "the destination rejected the write",
    fix: `see the destination's code and the elements named; correct the data or the destination's rule, ${retry}`,
  },
  "destination-forbids": {
    owner: "IT",
    text: "Sluice's account at the system may not do this",
    fix: `grant the permission or scope that the code names, ${retry}`,
  },
  "outcome-unknown": {
    owner: "IT",
    text: "it cannot be known whether the write was applied",
    fix: `look at the destination record, ${retry}: it reads back first and sends nothing twice`,
  },
  "retries-exhausted": {
    owner: "IT",
    text: "the exchange failed too many times",
    fix: `see the cause in \`npx sluice exchanges show\`, mend it, ${retry}`,
  },
  "subject-not-permitted-any-more": {
    owner: "privacy officer",
    text: "the outcome of a batch is unknown and one of its subjects is no longer permitted, so it is not sent again",
    fix: "ask the recipient whether it has the batch; if it must be erased there, ask for it; then cancel the group",
  },
  "configuration-gone": {
    owner: "IT",
    text: "the channel or mapping of this exchange is no longer configured",
    fix: `restore it in config/ and \`npx sluice activate\`, or cancel the group, ${retry}`,
  },
  "internal-error": {
    owner: "IT",
    text: "an unexpected error inside Sluice",
    fix: `send the exchange id and the log to Sluice's makers, ${retry}`,
  },
} as const satisfies Record<string, Cause>;
export type CauseId = keyof typeof causes;

export interface CauseDetail {
  readonly channel: string;
  /** Element or field names, never values. */
  readonly elements?: readonly string[];
  readonly vendorCode?: string;
  readonly owner?: Owner;
}

/** The words for one cause; equal causes with equal detail share a group. */
export function problemOf(cause: CauseId, detail: CauseDetail): Problem {
  const { owner, text, fix } = causes[cause];
  const marks = [...(detail.vendorCode ? [detail.vendorCode] : []), ...(detail.elements ?? [])];
  const group = [cause, detail.channel, ...marks].join(":");
  return {
    group,
    owner: detail.owner ?? owner,
    text: marks.length > 0 ? `${text} (${marks.join(", ")})` : text,
    fix: fix.replace("GROUP", `'${group}'`),
  };
}

export function quarantine(cause: CauseId, detail: CauseDetail): Stop {
  return new Stop({ kind: "quarantine", cause, problem: problemOf(cause, detail) });
}

/** Which cause a permanent error of a system or a mapping is. */
export function causeOf(error: SluiceError): CauseId {
  if (error.code === "mapping-refused") return "value-refused";
  if (error.code === "resource-withheld") return "resource-withheld";
  if (error.code === "system-forbidden" || error.code === "host-not-allowed") return "destination-forbids";
  if (error.code === "record-ambiguous") return "duplicate-created";
  if (error.code === "record-not-found") return "destination-gone";
  if (error.code.startsWith("system-") || error.code === "input-malformed") return "destination-rejected";
  return "internal-error";
}
