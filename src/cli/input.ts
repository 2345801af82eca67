// Reads what a command is given: a file, or standard input as `-`.
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { SluiceError } from "../core/errors.ts";

export async function readInput(file: string): Promise<string> {
  if (file === "-") return text(process.stdin);
  try {
    return await readFile(file, "utf8");
  } catch {
    throw new SluiceError("usage-wrong", `${file} cannot be read`, {
      hint: "give a file that is there, or - for standard input",
    });
  }
}
