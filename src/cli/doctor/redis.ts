// What doctor finds about Redis. It holds wake-ups only: losing it loses nothing, but evicting from it makes work late.
import type { RedisFacts } from "../../examine.ts";
import { clockFinding, megabytes, ok, problem, warning, type Finding } from "./finding.ts";

const check = "Redis";

export function redisFindings(facts: RedisFacts): readonly Finding[] {
  const { version, encrypted, role, clockAheadMs } = facts;
  const how = encrypted ? "over TLS" : "without TLS";
  return [
    ok(check, `${version}, ${how}, ${megabytes(facts.usedBytes)} used`),
    ...age(version),
    ...eviction(facts),
    ...durability(facts),
    ...memory(facts),
    ...(role === "master" ? [] : [problem(check, `it is a ${role}`, "let `production.redis` name the primary")]),
    ...clockFinding(check, "Redis", clockAheadMs, true),
  ];
}

/** What BullMQ wants. */
function age(version: string): readonly Finding[] {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 6 || (major === 6 && minor >= 2)) return [];
  return [problem(check, `version ${version} is too old`, "install Redis 6.2 or newer")];
}

function eviction({ evictionPolicy }: RedisFacts): readonly Finding[] {
  if (evictionPolicy === "noeviction") return [];
  const text = `it may evict keys (maxmemory-policy ${evictionPolicy ?? "unknown"}): no process starts on it`;
  const fix = 'set "maxmemory-policy noeviction" in redis.conf, or run CONFIG SET maxmemory-policy noeviction';
  return [problem(check, text, fix)];
}

function durability({ appendOnly, lastWriteFailed }: RedisFacts): readonly Finding[] {
  if (lastWriteFailed) {
    return [problem(check, "it could not write to its disk", "look at its log and at the space on its disk")];
  }
  if (appendOnly) return [];
  const text = "no append-only file: after its restart waking begins anew, work is some seconds late";
  return [warning(check, text, 'set "appendonly yes" in redis.conf')];
}

function memory({ usedBytes, limitBytes }: RedisFacts): readonly Finding[] {
  if (limitBytes === 0) {
    return [warning(check, "no memory limit of its own", "set maxmemory below the machine's or container's memory")];
  }
  if (usedBytes < limitBytes * 0.8) return [];
  const text = `${megabytes(usedBytes)} of ${megabytes(limitBytes)} used; when full it refuses wake-ups`;
  return [warning(check, text, "raise maxmemory, or see why lanes are woken and not run")];
}
