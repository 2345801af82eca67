// What doctor finds on this machine: Node, the disk, the data directory and who runs on it.
import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { hasMoved, whoRuns } from "../../embedded.ts";
import { megabytes, ok, problem, warning, type Finding } from "./finding.ts";

const leastFreeBytes = 500 * 1024 * 1024;

export function nodeVersion(): Finding {
  const { node } = process.versions;
  if (Number(node.split(".")[0]) >= 24) return ok("Node", node);
  return problem("Node", node, "install Node 24, or run `npm ci`, which brings it");
}

export async function disk(data: string): Promise<Finding> {
  const place = existsSync(data) ? data : ".";
  const { bavail, bsize } = await statfs(place);
  const words = `${megabytes(bavail * bsize)} free under ${place}`;
  if (bavail * bsize >= leastFreeBytes) return ok("disk", words);
  return problem("disk", words, "free at least 500 MB: a full disk makes all exchanges wait");
}

/** Of the embedded profile. */
export function dataDirectory(data: string): Finding {
  const check = "data directory";
  if (!existsSync(data)) return warning(check, `${data} does not exist yet`, "`npx sluice up` makes it");
  if (hasMoved(data)) {
    const fix = "set `profile: production` in sluice.yaml; docs/migrate.md says how to go back";
    return problem(check, `${data} is the archive of a deployment that has moved to the production profile`, fix);
  }
  return ok(check, whoRuns(data) ?? `${data}; no gateway runs on it`);
}

/** Of the production profile: processes keep the mirrored audit head there. */
export function mirrorDirectory(data: string): Finding {
  const check = "data directory";
  if (existsSync(data)) return ok(check, `${data}; the audit head is mirrored there`);
  return warning(check, `${data} does not exist yet`, "a running process makes it and mirrors the audit head there");
}
