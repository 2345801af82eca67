// How the benchmarks measure: variants alternate within one run, each figure is the median over the rounds, and ratios are
// taken round by round, so that what the machine does besides falls on both sides.

export interface Variant {
  readonly name: string;
  /** One round; answers its figure. */
  readonly round: () => Promise<number> | number;
}

export interface Measured {
  /** One figure a round, by variant. */
  readonly rounds: ReadonlyMap<string, readonly number[]>;
  median(name: string): number;
  /** Median of the rounds' own ratios. */
  ratio(of: string, to: string): number;
}

/** Runs every variant once a round, beginning each round with another one, after `warmUp` rounds that do not count. */
export async function alternate(
  variants: readonly Variant[],
  options: { readonly rounds: number; readonly warmUp: number },
): Promise<Measured> {
  const rounds = new Map<string, number[]>(variants.map(({ name }) => [name, []]));
  for (let round = -options.warmUp; round < options.rounds; round += 1) {
    const first = Math.abs(round) % variants.length;
    for (const { name, round: run } of [...variants.slice(first), ...variants.slice(0, first)]) {
      const figure = await run();
      if (round >= 0) rounds.get(name)?.push(figure);
    }
  }
  const of = (name: string): readonly number[] => rounds.get(name) ?? [];
  return {
    rounds,
    median: (name) => median(of(name)),
    ratio: (one, other) => median(of(one).map((figure, index) => figure / (of(other)[index] ?? NaN))),
  };
}

export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}
