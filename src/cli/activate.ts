// `sluice activate`: checks `config/`, stores it without secrets under its hash and makes it current. A running gateway
// whose files differ takes no new work from then on.
import { systemClock } from "../core/clock.ts";
import { putOnRecord } from "../exchange/administer.ts";
import { openConfiguration, openOrMakeLedger, type Place } from "./open.ts";
import { operator } from "./operator.ts";
import { exitCodes, print, tell } from "./output.ts";

export async function activate(options: Place & { readonly reason?: string }): Promise<number> {
  const opened = await openConfiguration(options.config, { secrets: "lenient" });
  const { hash } = opened.configuration;
  const store = await openOrMakeLedger(options);
  try {
    if ((await store.versions.current()) === hash) {
      tell("this configuration is current already");
    } else {
      const reason = options.reason ?? "by command";
      await putOnRecord(store, { actor: operator(), action: "activate", reason, configuration: hash });
      await store.versions.activate(hash, opened.document, systemClock.now(), reason);
      tell(
        "activated; a running process takes new work only with these files: restart those that began with other ones",
      );
    }
    print(hash);
    return exitCodes.done;
  } finally {
    await store.close();
  }
}
