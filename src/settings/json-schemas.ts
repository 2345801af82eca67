// Writes the JSON Schemas that editors use for the files under `config/`, generated from the same schemas that check them.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { schemas } from "./schemas.ts";

/** File name → text, for every kind of file. */
export function jsonSchemas(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(schemas).map(([kind, schema]) => {
      const shape = { title: `Sluice: ${kind}`, ...z.toJSONSchema(schema as z.ZodType, { io: "input" }) };
      return [`${kind}.schema.json`, `${JSON.stringify(shape, undefined, 2)}\n`];
    }),
  );
}

/** Writes them into `dir` (`config/schemas`), which is made if needed. */
export async function writeSchemas(dir: string): Promise<readonly string[]> {
  await mkdir(dir, { recursive: true });
  const written: string[] = [];
  for (const [name, text] of jsonSchemas()) {
    await writeFile(join(dir, name), text);
    written.push(join(dir, name));
  }
  return written;
}
