// A small seeded source of pseudo-random numbers (sfc32), so that the same seed gives the same practice everywhere. Not for
// secrets.

export interface Prng {
  /** A whole number from 0 to below `limit`. */
  int(limit: number): number;
  pick<T>(from: readonly [T, ...T[]]): T;
  /** True with the probability `share` (0 to 1). */
  chance(share: number): boolean;
  /** Text of `length` letters of the alphabet. */
  text(alphabet: string, length: number): string;
}

export function prng(seed: number): Prng {
  const next = sfc32(0x9e3779b9, 0x243f6a88, 0xb7e15162, seed >>> 0);
  for (let warmUp = 0; warmUp < 20; warmUp += 1) next();
  const int = (limit: number): number => Math.floor((next() / 0x1_0000_0000) * limit);
  return {
    int,
    pick: (from) => from[int(from.length)] ?? from[0],
    chance: (share) => next() < share * 0x1_0000_0000,
    text: (alphabet, length) => Array.from({ length }, () => alphabet.charAt(int(alphabet.length))).join(""),
  };
}

/** Chris Doty-Humphrey's small fast counter generator: 32 random bits a call. */
function sfc32(a: number, b: number, c: number, d: number): () => number {
  return () => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
}
