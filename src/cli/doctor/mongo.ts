// What doctor finds about MongoDB: where its data are, how durable a write is, and whether it is set up as this version wants.
import type { MongoFacts } from "../../examine.ts";
import { clockFinding, megabytes, ok, problem, warning, type Finding } from "./finding.ts";

const check = "MongoDB";
const leastFreeBytes = 1024 * 1024 * 1024;

export function mongoFindings(facts: MongoFacts): readonly Finding[] {
  const { serverVersion, topology, writeConcern, encrypted, clockDifferenceMs = 0 } = facts;
  const how = `${encrypted ? "over TLS" : "without TLS"}, writes with ${writeConcern}`;
  return [
    ok(check, `${serverVersion}, ${topology}, ${how}`),
    ...age(serverVersion),
    ...durability(facts),
    ...schema(facts),
    ...arrival(facts),
    ...room(facts),
    ...clockFinding(check, "MongoDB", clockDifferenceMs, true),
  ];
}

function age(version: string): readonly Finding[] {
  if (Number(version.split(".")[0]) >= 6) return [];
  return [warning(check, `version ${version} is not tested`, "install MongoDB 7 or 8")];
}

function durability({ topology, members, writeConcern }: MongoFacts): readonly Finding[] {
  const findings: Finding[] = [];
  if (writeConcern !== "w: majority, j: true") {
    const text = `a write is answered with ${writeConcern}: it may be lost afterwards`;
    findings.push(problem(check, text, "take `w` and `journal` out of the address in `production.mongodb`"));
  }
  if (topology === "standalone") {
    const text = "it stands alone: while it is down all work waits, and a broken disk takes what is not in a back-up";
    findings.push(warning(check, text, "run a replica set of three members; or accept it and back up often"));
  } else if (topology === "replica set" && members < 3) {
    const text = `the replica set has ${members} member${members === 1 ? "" : "s"}: one that fails stops all writes`;
    findings.push(warning(check, text, "add members until there are three"));
  }
  return findings;
}

function schema({ schema: { stored, known }, missingIndexes }: MongoFacts): readonly Finding[] {
  if (stored === 0)
    return [warning("ledger", "the database is empty", "`npx sluice activate`, or `migrate` (docs/migrate.md)")];
  if (stored > known) {
    const fix = "run the version of Sluice that wrote it";
    return [problem("ledger", `the documents have version ${stored}, this Sluice knows ${known}`, fix)];
  }
  const findings: Finding[] = [];
  if (stored < known) {
    const text = `the documents have version ${stored}, this Sluice wants ${known}`;
    findings.push(warning("ledger", text, "start a process of this version: it brings them forward"));
  }
  if (missingIndexes.length > 0) {
    const text = `indexes are missing: ${missingIndexes.join(", ")}`;
    findings.push(problem("indexes", text, "restart a process: it makes them; its user needs the role dbOwner there"));
  } else findings.push(ok("indexes", "all there"));
  return findings;
}

function arrival({ halfArrived }: MongoFacts): readonly Finding[] {
  if (!halfArrived) return [];
  const text = "a deployment is on its way into this database, and is not all there";
  return [problem("ledger", text, "run `npx sluice migrate --to production` again: it goes on where it was")];
}

function room({ freeBytes }: MongoFacts): readonly Finding[] {
  if (freeBytes === undefined) return [];
  const words = `${megabytes(freeBytes)} free on the disk of MongoDB`;
  if (freeBytes >= leastFreeBytes) return [ok("disk of MongoDB", words)];
  return [problem("disk of MongoDB", words, "free at least 1 GB: a full disk makes all exchanges wait")];
}
