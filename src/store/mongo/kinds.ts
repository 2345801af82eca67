// Every kind of document that the store keeps.
import { arrivalKind } from "./arrival.ts";
import { auditKinds } from "./audit-chain.ts";
import { changeKinds } from "./changes.ts";
import { consentKind } from "./facts.ts";
import type { Indexed } from "./indexes.ts";
import { ledgerKinds } from "./ledger.ts";
import { linkKinds } from "./links.ts";
import { registerKinds } from "./registers.ts";
import { schemaKinds } from "./schema.ts";
import { sealedKinds } from "./sealed.ts";
import { versionKinds } from "./versions.ts";

export const kinds: readonly Indexed[] = [
  ...schemaKinds,
  arrivalKind,
  ...auditKinds,
  ...changeKinds,
  consentKind,
  ...ledgerKinds,
  ...linkKinds,
  ...registerKinds,
  ...sealedKinds,
  ...versionKinds,
];
