// A copy of the example configuration in a directory of its own, in which a test changes what it wants to see refused.
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConnector } from "../../../src/connector/registry.ts";
import { compileMapping } from "../../../src/mapping/compile.ts";
import { compileMinimum } from "../../../src/policy/minimum.ts";
import { loadConfiguration, type LoadedConfiguration, type LoadOptions } from "../../../src/settings/load.ts";
import { ConfigurationError, type Problem } from "../../../src/settings/problems.ts";

export const exampleDir = new URL("../../../config", import.meta.url).pathname;
export const webhookSecret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

export class ExampleCopy {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async make(): Promise<ExampleCopy> {
    const dir = await mkdtemp(join(tmpdir(), "sluice-config-"));
    // Keys that somebody made in the checkout stay where they are.
    await cp(exampleDir, dir, { recursive: true, filter: (path) => !/[\\/]keys[\\/].+\.(key|json)$/.test(path) });
    return new ExampleCopy(dir);
  }

  /** Replaces the one place where `from` stands; fails the test when it stands nowhere. */
  async edit(file: string, from: string | RegExp, to: string): Promise<void> {
    const path = join(this.dir, file);
    const text = await readFile(path, "utf8");
    const edited = text.replace(from, to);
    if (edited === text) throw new Error(`${file} does not hold ${String(from)}`);
    await writeFile(path, edited);
  }

  async write(file: string, text: string): Promise<void> {
    await writeFile(join(this.dir, file), text);
  }

  async read(file: string): Promise<string> {
    return readFile(join(this.dir, file), "utf8");
  }

  load(options: Partial<LoadOptions> = {}): Promise<LoadedConfiguration> {
    return loadConfiguration(this.dir, {
      connectors: loadConnector,
      connectorNames: ["salesforce", "fhir-r4", "recipient"],
      env: { MARKETING_WEBHOOK_SECRET: webhookSecret },
      compileMapping,
      compileMinimum,
      ...options,
    });
  }

  /** What is wrong with it; empty when it loads. */
  async problems(options: Partial<LoadOptions> = {}): Promise<readonly Problem[]> {
    try {
      await this.load(options);
      return [];
    } catch (error) {
      if (error instanceof ConfigurationError) return error.problems;
      throw error;
    }
  }

  /** 1-based line of the first line that holds the text. */
  async lineOf(file: string, text: string): Promise<number> {
    const lines = (await this.read(file)).split("\n");
    return lines.findIndex((line) => line.includes(text)) + 1;
  }

  remove(): Promise<void> {
    return rm(this.dir, { recursive: true, force: true });
  }
}
