// The two spellings of a Salesforce id: 15 case-sensitive characters, and the same with a 3-character suffix that tells
// the case of each, so that the 18 may be compared without it.

const suffix = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/** The 18-character spelling of a 15- or 18-character id. */
export function longId(id: string): string {
  const base = id.slice(0, 15);
  const chunks = [base.slice(0, 5), base.slice(5, 10), base.slice(10, 15)];
  const letters = chunks.map((chunk) => {
    const bits = [...chunk].reduce((sum, char, i) => (/[A-Z]/.test(char) ? sum | (1 << i) : sum), 0);
    return suffix.charAt(bits);
  });
  return base + letters.join("");
}

export function sameId(one: string, other: string): boolean {
  return one.slice(0, 15) === other.slice(0, 15);
}

/** The 18-character spelling; undefined for what is no id, or whose suffix does not fit. */
export function canonicalId(id: string): string | undefined {
  if (!/^[a-zA-Z0-9]{15}([a-zA-Z0-9]{3})?$/.test(id)) return undefined;
  const long = longId(id);
  return id.length === 15 || id.toUpperCase() === long.toUpperCase() ? long : undefined;
}
