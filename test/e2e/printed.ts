// What a command's function prints to standard output, in this process.

export async function printedBy<T>(work: () => Promise<T>): Promise<{ readonly text: string; readonly result: T }> {
  const { write } = process.stdout;
  let text = "";
  process.stdout.write = (chunk: string | Uint8Array): boolean => {
    text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
    return true;
  };
  try {
    const result = await work();
    return { text, result };
  } finally {
    process.stdout.write = write;
  }
}
