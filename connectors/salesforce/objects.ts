// The Salesforce objects that are spoken: a closed list, since names land in paths and queries.
import { SluiceError } from "../../src/core/errors.ts";

export const objectTypes: readonly string[] = ["Contact", "Event"];

/** The object that stands for a person (orgs without Person Accounts). */
export const personType = "Contact";

/** The name itself. Throws `input-unknown-type`. */
export function objectName(type: string): string {
  if (objectTypes.includes(type)) return type;
  throw new SluiceError("input-unknown-type", "this Salesforce object is not spoken", {
    hint: `one of ${objectTypes.join(", ")} is wanted`,
  });
}
