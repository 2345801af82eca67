// `sluice init`: makes the keys of a new deployment, beside its configuration and outside its data; never touches one that
// is there.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { SluiceError } from "../core/errors.ts";
import { systemRandom } from "../core/ids.ts";
import { makeKeys } from "../settings/keys.ts";
import { exitCodes, print, tell } from "./output.ts";

export async function init(options: { readonly config: string }): Promise<number> {
  if (!existsSync(join(options.config, "sluice.yaml"))) {
    throw new SluiceError("usage-wrong", `there is no ${join(options.config, "sluice.yaml")}`, {
      hint: "run it in Sluice's folder, or give the configuration with --config DIR",
    });
  }
  const { made } = await makeKeys(join(options.config, "keys"), systemRandom);
  for (const path of made) print(path);
  tell(
    made.length === 0
      ? "all keys are there already"
      : "keys made (mode 0600): back them up apart from the data; `npx sluice check` is next",
  );
  return exitCodes.done;
}
