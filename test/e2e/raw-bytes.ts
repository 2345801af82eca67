// Looks for words in the raw bytes of every file below a directory: what is found there is in clear on the disk.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface Found {
  readonly file: string;
  readonly word: string;
}

export async function findInFiles(directory: string, words: readonly string[]): Promise<readonly Found[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const found: Found[] = [];
  for (const entry of entries.filter((one) => one.isFile())) {
    const file = join(entry.parentPath, entry.name);
    const bytes = await readFile(file).catch(() => Buffer.alloc(0));
    for (const word of words) if (bytes.includes(word)) found.push({ file, word });
  }
  return found;
}

export function findInText(text: string, words: readonly string[]): readonly string[] {
  return words.filter((word) => text.includes(word));
}
