// What is wrong with a configuration: each problem with its place, its words and what to do; all of them in one error.
import { SluiceError } from "../core/errors.ts";

export interface Problem {
  /** `systems/crm.yaml:12`, relative to the configuration directory; a line is missing only when the file is. */
  readonly where: string;
  /** What is wrong, without secrets. */
  readonly message: string;
  readonly hint?: string;
}

export function problem(where: string, message: string, hint: string | undefined): Problem {
  return hint === undefined ? { where, message } : { where, message, hint };
}

/** `config-invalid` with every problem found, in the order of files and lines. */
export class ConfigurationError extends SluiceError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super("config-invalid", summary(problems), { ...first(problems) });
    this.problems = problems;
  }
}

function summary(problems: readonly Problem[]): string {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return `the configuration has ${count}:\n${problems.map(problemText).join("\n")}`;
}

function first(problems: readonly Problem[]): { readonly where?: string; readonly hint?: string } {
  const [problem] = problems;
  if (!problem) return {};
  return problem.hint === undefined ? { where: problem.where } : { where: problem.where, hint: problem.hint };
}

/** One problem as people read it: `place: message` and, on the next line, the hint. */
export function problemText(problem: Problem): string {
  const hint = problem.hint === undefined ? "" : `\n    hint: ${problem.hint}`;
  return `  ${problem.where}: ${problem.message}${hint}`;
}

/** The same problems by file, then line, each once. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const unique = new Map(problems.map((problem) => [`${problem.where}\n${problem.message}`, problem]));
  return [...unique.values()].sort((a, b) => compare(split(a.where), split(b.where)));
}

function split(where: string): readonly [string, number] {
  const match = /^(.*?)(?::(\d+))?$/s.exec(where);
  return [match?.[1] ?? where, Number(match?.[2] ?? 0)];
}

function compare(a: readonly [string, number], b: readonly [string, number]): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  return a[1] - b[1];
}
