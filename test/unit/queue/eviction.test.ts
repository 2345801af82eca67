import assert from "node:assert/strict";
import { refuseEviction } from "../../../src/queue/redis.ts";

describe("Redis eviction policy", () => {
  it("accepts a server that never evicts", () => {
    refuseEviction("# Memory\r\nused_memory:1\r\nmaxmemory_policy:noeviction\r\n");
  });

  for (const line of ["maxmemory_policy:allkeys-lru", "maxmemory_policy:volatile-ttl", "used_memory:1"]) {
    it(`refuses a server that says ${line}`, () => {
      assert.throws(() => refuseEviction(`# Memory\r\n${line}\r\n`), { code: "config-invalid" });
    });
  }
});
