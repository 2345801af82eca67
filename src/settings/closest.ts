// Hints that name what was probably meant.
import { nearestName } from "../fhir/nearest.ts";

/** `did you mean "x"?`, or the list of what is known; undefined when nothing is. */
export function nameHint(wrong: string, known: readonly string[]): string | undefined {
  const best = nearestName(wrong, known) ?? beginning(wrong, known);
  if (best !== undefined) return `did you mean "${best}"?`;
  if (known.length === 0) return undefined;
  const shown = [...known].sort().slice(0, 12);
  return `known: ${shown.join(", ")}${known.length > shown.length ? ", …" : ""}`;
}

/** `TREATMENT` for `TREAT`: one begins the other. */
function beginning(wrong: string, known: readonly string[]): string | undefined {
  const lower = wrong.toLowerCase();
  return known.find((name) => {
    const other = name.toLowerCase();
    return Math.min(lower.length, other.length) >= 4 && (lower.startsWith(other) || other.startsWith(lower));
  });
}
