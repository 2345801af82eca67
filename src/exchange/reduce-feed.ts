// The reduce stage of a feed: Safe Harbor de-identification, 45 CFR 164.514(b)(2). Codes for records are random and kept in
// the vault, one set a recipient (164.514(c)).
import { SluiceError } from "../core/errors.ts";
import { hmacId, newId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import { refKey, type SourceRecord } from "../core/records.ts";
import { deidentify } from "../deidentify/safe-harbor.ts";
import { patientReferences } from "../fhir/references.ts";
import { contentOf } from "./fetch.ts";
import { Judged } from "./judge.ts";
import { Minimal } from "./reduce.ts";
import type { Run } from "./run.ts";

/** Throws `resource-withheld`, `input-unknown-type` or `input-malformed` for a resource that cannot be released. */
export async function deidentifyJudged(run: Run, judged: Judged<SourceRecord>): Promise<Minimal<JsonObject>> {
  const codes = await codesFor(run, Judged.open(judged));
  const pseudonym = (reference: string): string => {
    const code = codes.get(reference);
    if (code === undefined) throw new SluiceError("resource-withheld", "a record without a code is referred to");
    return code;
  };
  return Minimal.reduce(judged, (source) => {
    const { resource, released, withheld } = deidentify(contentOf(source), { pseudonym, at: run.gateway.clock.now() });
    return { data: resource, released, withheld };
  });
}

/** Codes of the record itself and of every patient that it names. */
async function codesFor(run: Run, source: SourceRecord): Promise<ReadonlyMap<string, string>> {
  const { gateway, channel } = run;
  const named = patientReferences(contentOf(source)).ids.map((id) => `Patient/${id}`);
  const codes = new Map<string, string>();
  for (const reference of new Set([`${source.ref.type}/${source.ref.id}`, ...named])) {
    const [type = "", id = ""] = reference.split("/");
    const record = hmacId(gateway.keys.id, "pseudonym-row", refKey({ system: source.ref.system, type, id }));
    codes.set(reference, await gateway.store.vault.pseudonym(channel.to, record, newId(gateway.random)));
  }
  return codes;
}
