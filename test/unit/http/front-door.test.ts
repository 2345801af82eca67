// Where a process may listen: loopback, or behind TLS.
import assert from "node:assert/strict";
import { openFrontDoor } from "../../../src/http/front-door.ts";

describe("the front door", () => {
  it("answers 503 until it is opened, then what is behind it, until it is shut", async () => {
    const door = await openFrontDoor({ where: "127.0.0.1:0" });
    try {
      assert.equal((await fetch(door.address)).status, 503);
      door.open((_request, response) => {
        response.end("in");
      });
      assert.equal(await (await fetch(door.address)).text(), "in");
      door.shut();
      assert.equal((await fetch(door.address)).status, 503);
    } finally {
      await door.close();
    }
  });

  it("listens beyond loopback only with TLS, its own or a proxy's", async () => {
    await assert.rejects(openFrontDoor({ where: "0.0.0.0:0" }), { code: "usage-wrong" });
    const door = await openFrontDoor({ where: "0.0.0.0:0", trustProxy: true });
    await door.close();
  });

  it("a certificate that is none is refused", async () => {
    const tls = { certificate: "c", key: "k" };
    await assert.rejects(openFrontDoor({ where: "127.0.0.1:0", tls }), { code: "config-invalid" });
  });

  it("an address that is none, and one that is taken, are refused with what to do", async () => {
    await assert.rejects(openFrontDoor({ where: "8380" }), { code: "usage-wrong" });
    const door = await openFrontDoor({ where: "127.0.0.1:0" });
    const where = door.address.replace("http://", "");
    await assert.rejects(openFrontDoor({ where }), { code: "usage-wrong", message: /another program uses/ });
    await door.close();
  });
});
