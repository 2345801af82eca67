// Unique strings planted in every synthetic person's data. A leak shows by finding one where it must not be: in a log, a
// queue, an error, or (the `neverLeave` ones) in any other system.
import type { Prng } from "./prng.ts";

export interface Canaries {
  /** Parts of names and visit titles: PHI that may flow to a permitted recipient and appears nowhere else. */
  readonly phi: readonly string[];
  /** In notes, narratives and social security numbers: no mapping or policy lets them leave their system. */
  readonly neverLeave: readonly string[];
}

export interface CanarySource extends Canaries {
  /** A new word that looks like a name: `Xovaketiru`. */
  name(): string;
  /** A new string that looks like nothing else: `CANARY-7KQ2…`. */
  secret(): string;
}

export function canarySource(random: Prng): CanarySource {
  const phi = new Set<string>();
  const neverLeave = new Set<string>();
  return {
    get phi() {
      return [...phi];
    },
    get neverLeave() {
      return [...neverLeave];
    },
    name: () => fresh(phi, () => word(random)),
    secret: () => fresh(neverLeave, () => `CANARY-${random.text("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", 16)}`),
  };
}

function word(random: Prng): string {
  const syllables = Array.from({ length: 4 }, () => random.text("bdfgklmnprstvz", 1) + random.text("aeiou", 1)).join(
    "",
  );
  return `${random.text("QXZ", 1)}${random.text("aeiou", 1)}${syllables}`;
}

function fresh(used: Set<string>, make: () => string): string {
  for (;;) {
    const text = make();
    if (used.has(text)) continue;
    used.add(text);
    return text;
  }
}
