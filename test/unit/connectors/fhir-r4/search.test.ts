// Single reads: what the server sends is compared with what was asked, and never trusted to have honoured the search.
import assert from "node:assert/strict";
import type { JsonObject } from "../../../../src/core/json.ts";
import { closeAll, openBench, patient, type Bench } from "./bench.ts";
import { fhirJson, openScripted, searchset } from "./scripted.ts";

afterEach(closeAll);

const link = (value: string): JsonObject => ({
  ...patient("Linked"),
  id: "p1",
  identifier: [{ system: "urn:sluice:link", value }],
});

describe("fhir-r4 read", () => {
  it("asks caches to stand aside only when a fresh read is wanted", async () => {
    const server = await openScripted(() => fhirJson({ ...patient("Read"), id: "p1" }, 200, { etag: 'W/"7"' }));
    const record = await server.connector.read("Patient", "p1", []);
    assert.equal(record?.version, "7");
    assert.equal(server.requests[0]?.headers["cache-control"], undefined);
    await server.connector.read("Patient", "p1", [], true);
    assert.equal(server.requests[1]?.headers["cache-control"], "no-cache");
  });

  it("knows a deleted record (410) and a plain-text 404 as absent, a 500 as an error", async () => {
    let status = 410;
    const server = await openScripted(() => ({ status, headers: { "content-type": "text/html" }, body: "<p>no</p>" }));
    assert.equal(await server.connector.read("Patient", "p1", []), undefined);
    status = 404;
    assert.equal(await server.connector.read("Patient", "p1", []), undefined);
    status = 500;
    await assert.rejects(server.connector.read("Patient", "p1", []), { code: "system-busy", retry: "transient" });
  });

  it("refuses another record, a part of a record, and a page that is no FHIR; takes the record itself", async () => {
    const part = { ...patient("Part"), id: "p1", meta: { tag: [{ code: "SUBSETTED" }] } };
    const bodies = [JSON.stringify({ ...patient("Other"), id: "p2" }), JSON.stringify(part), "<html></html>", "null"];
    let body = "";
    const server = await openScripted(() => ({ status: 200, body }));
    for (const text of bodies) {
      body = text;
      await assert.rejects(server.connector.read("Patient", "p1", []), { name: "SluiceError", retry: "transient" });
    }
    body = JSON.stringify({ ...patient("Whole"), id: "p1" });
    assert.equal((await server.connector.read("Patient", "p1", []))?.ref.id, "p1");
  });

  it("refuses ids and types that would leave their place in the address", async () => {
    const server = await openScripted(() => fhirJson({}));
    for (const id of ["..", ".", "../Consent/1", "a?b", "a/b", "$export", "", "x".repeat(65)]) {
      await assert.rejects(server.connector.read("Patient", id, []), { code: "input-malformed" });
    }
    await assert.rejects(server.connector.read("Binary", "1", []), { code: "input-unknown-type" });
    assert.equal(server.requests.length, 0);
  });

  it("does not follow a redirect", async () => {
    const server = await openScripted((request, origin) =>
      request.url.pathname === "/fhir/Patient/p1"
        ? { status: 302, headers: { location: `${origin}/fhir/Patient/p2` } }
        : fhirJson({ ...patient("Elsewhere"), id: "p1" }),
    );
    await assert.rejects(server.connector.read("Patient", "p1", []), { code: "system-unreachable" });
    assert.equal(server.requests.length, 1);
  });
});

describe("fhir-r4 findByLink", () => {
  it("refuses an answer of a server that ignored the identifier, and takes one that honoured it", async () => {
    let value = "link-2";
    const server = await openScripted(() => fhirJson(searchset([{ resource: link(value) }])));
    const find = () => server.connector.findByLink("Patient", "link-1", []);
    await assert.rejects(find(), { code: "system-answer-malformed" });
    value = "link-1";
    assert.equal((await find()).length, 1);
    const asked = server.requests.at(-1);
    assert.equal(asked?.url.searchParams.get("identifier"), "urn:sluice:link|link-1");
    assert.equal(asked?.headers["cache-control"], "no-cache");
  });

  it("tells two records under one link id, on whatever page they are", async () => {
    const bench = await openBench();
    for (const family of ["One", "Two"]) {
      bench.sandbox.put({ ...patient(family), identifier: [{ system: "urn:sluice:link", value: "link-1" }] });
    }
    bench.sandbox.put({ ...patient("Three"), identifier: [{ system: "urn:other", value: "link-1" }] });
    assert.equal((await bench.connector.findByLink("Patient", "link-1", [])).length, 2);
  });
});

describe("fhir-r4 findPerson", () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await openBench();
  });

  const find = async (family: string, given: string, birthDate = "1980-02-29") =>
    (await bench.connector.findPerson("Patient", { family, given, birthDate }, [])).length;

  it("is exact where FHIR's own search is not, letter case and Unicode form apart", async () => {
    bench.sandbox.put(patient("Müller", ["Zoë"]));
    assert.equal(await find("MÜLLER", "zoë".normalize("NFD")), 1);
    assert.equal(await find("Muller", "Zoë"), 0);
    assert.equal(await find("Mü", "Zoë"), 0);
    assert.equal(await find("Müller", "Zoë", "1980-02-28"), 0);
  });

  it("takes the first given name or all of them, not another one", async () => {
    bench.sandbox.put(patient("Okafor", ["Ada", "Ngozi"]));
    assert.equal(await find("Okafor", "Ada"), 1);
    assert.equal(await find("Okafor", "Ada Ngozi"), 1);
    assert.equal(await find("Okafor", "Ngozi"), 0);
    assert.equal(await find("Okafor", "Ada Mary"), 0);
  });

  it("does not find a record that was replaced by another", async () => {
    const link = [{ other: { reference: "Patient/x" }, type: "replaced-by" }];
    bench.sandbox.put({ ...patient("Merged"), active: false, link });
    assert.equal(await find("Merged", "Ana"), 0);
    bench.sandbox.put(patient("Merged"));
    assert.equal(await find("Merged", "Ana"), 1);
  });

  it("gives at most five", async () => {
    for (let i = 0; i < 7; i += 1) bench.sandbox.put(patient("Many"));
    assert.equal(await find("Many", "Ana"), 5);
  });

  it("takes characters that mean something in a search for themselves", async () => {
    bench.sandbox.put(patient("A,B|C$D\\E", ["Ana"]));
    bench.sandbox.put(patient("B", ["Ana"]));
    assert.equal(await find("A,B|C$D\\E", "Ana"), 1);
    assert.equal(await find("A,B", "Ana"), 0);
  });
});
