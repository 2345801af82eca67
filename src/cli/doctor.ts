// `sluice doctor`: finds what is wrong with this deployment and says the fix of each finding. It prints no address that may
// hold a password.
import { hasLedger, openStoreAt, whoRuns, type Opened } from "../embedded.ts";
import { examineEmbedded, examineMongo, examineRedis } from "../examine.ts";
import type { MirroredStore } from "../exchange/ports.ts";
import { openProductionStore } from "../production-store.ts";
import { readDeployment, type Deployment, type ProductionPlaces } from "../settings/deployment.ts";
import { attempt, warning, type Finding } from "./doctor/finding.ts";
import { examineKeys } from "./doctor/keys.ts";
import { dataDirectory, disk, mirrorDirectory, nodeVersion } from "./doctor/machine.ts";
import { mongoFindings } from "./doctor/mongo.ts";
import { redisFindings } from "./doctor/redis.ts";
import { sqliteFindings } from "./doctor/sqlite.ts";
import { storeFindings } from "./doctor/store.ts";
import { reach } from "./doctor/systems.ts";
import { openConfiguration, type Place } from "./open.ts";
import { exitCodes, print, printJson, table } from "./output.ts";

export async function doctor(options: Place & { readonly json?: boolean }): Promise<number> {
  const findings = await examine(options);
  if (options.json) printJson(findings);
  else
    print(
      table(
        ["check", "", "finding", "fix"],
        findings.map((one) => [one.check, one.level, one.text, one.fix ?? ""]),
        [22, 10, 58, 58],
      ),
    );
  return findings.some((one) => one.level === "problem") ? exitCodes.refused : exitCodes.done;
}

async function examine(place: Place): Promise<readonly Finding[]> {
  const findings = [nodeVersion(), await disk(place.data)];
  const opened = await configuration(place, findings);
  const { keys, ...found } = opened ? await examineKeys(place.config, opened) : { findings: [] };
  findings.push(...found.findings);
  if (opened && keys)
    for (const system of opened.configuration.systems.values()) findings.push(...(await reach(system, opened, keys)));
  const deployment = await attempt(
    "profile",
    findings,
    () => readDeployment(place.config),
    ({ profile }) => profile,
  );
  if (!deployment) return findings;
  const { usable, atWork } = await backends(place, deployment, findings);
  const store =
    usable &&
    (await attempt(
      "ledger",
      findings,
      () => look(place, deployment),
      () => "opens",
    ));
  if (!store) return findings;
  try {
    return [...findings, ...(await storeFindings({ store, opened, keys, atWork }))];
  } finally {
    await store.close();
  }
}

/** Makes nothing in a database. */
function look(place: Place, deployment: Deployment): Promise<MirroredStore> {
  if (deployment.profile === "production") return openProductionStore(deployment, place.data, "check");
  return openStoreAt(place.data);
}

/** Without some secret the rest can still be looked at. */
async function configuration({ config }: Place, findings: Finding[]): Promise<Opened | undefined> {
  const words = ({ configuration: { hash } }: Opened): string => `hash ${hash}`;
  const complete = await attempt("configuration", findings, () => openConfiguration(config), words);
  return complete ?? openConfiguration(config, { secrets: "lenient", quiet: true }).catch(() => undefined);
}

interface Backends {
  /** The ledger is there and can be opened. */
  readonly usable: boolean;
  /** Somebody should be taking work. */
  readonly atWork: boolean;
}

async function backends(place: Place, deployment: Deployment, findings: Finding[]): Promise<Backends> {
  if (deployment.profile === "production")
    return { usable: await production(place, deployment, findings), atWork: true };
  findings.push(dataDirectory(place.data));
  return {
    usable: await embedded(place, findings),
    atWork: hasLedger(place.data) && whoRuns(place.data) !== undefined,
  };
}

async function embedded({ data }: Place, findings: Finding[]): Promise<boolean> {
  if (!hasLedger(data)) {
    const fix = "new deployment: `npx sluice activate`; otherwise restore the data directory from its back-up";
    findings.push(warning("ledger", `there is none under ${data}`, fix));
    return false;
  }
  const facts = await attempt("data file", findings, () => examineEmbedded(data));
  if (facts) findings.push(...sqliteFindings(facts));
  return facts !== undefined && facts.damage === undefined;
}

async function production(place: Place, places: ProductionPlaces, findings: Finding[]): Promise<boolean> {
  findings.push(mirrorDirectory(place.data));
  const redis = await attempt("Redis", findings, () => examineRedis(places));
  if (redis) findings.push(...redisFindings(redis));
  const mongo = await attempt("MongoDB", findings, () => examineMongo(places));
  if (mongo) findings.push(...mongoFindings(mongo));
  return mongo !== undefined && mongo.schema.stored > 0 && !mongo.halfArrived;
}
