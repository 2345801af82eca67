// The process's environment, for the rest of the program: nothing else reads process.env.

export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}
