import assert from "node:assert/strict";
import { fieldsOf, refuseEviction } from "../../../src/queue/redis-standing.ts";

describe("Redis eviction policy", () => {
  it("accepts a server that never evicts", () => {
    refuseEviction(fieldsOf("# Memory\r\nused_memory:1\r\nmaxmemory_policy:noeviction\r\n").get("maxmemory_policy"));
  });

  for (const line of ["maxmemory_policy:allkeys-lru", "maxmemory_policy:volatile-ttl", "used_memory:1"]) {
    it(`refuses a server that says ${line}`, () => {
      const policy = fieldsOf(`# Memory\r\n${line}\r\n`).get("maxmemory_policy");
      assert.throws(
        () => {
          refuseEviction(policy);
        },
        { code: "config-invalid" },
      );
    });
  }
});
