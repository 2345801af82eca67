// Polling by `_lastUpdated`: paging, expired and foreign links, the server's clock, de-duplication.
import assert from "node:assert/strict";
import type { JsonObject } from "../../../../src/core/json.ts";
import { parseJson } from "../../../../src/core/json.ts";
import { closeAll, openBench, patient, start, type Bench } from "./bench.ts";
import { fhirJson, openScripted, searchset } from "./scripted.ts";

afterEach(closeAll);

const request = (cursor: string | undefined, limit = 2) => ({ type: "Patient", cursor, fields: [], limit });

const since = (cursor: string): unknown => (parseJson(cursor) as { since?: number }).since;

const person = (id: string, lastUpdated: string, versionId = "1"): JsonObject => ({
  resource: { ...patient("Polled"), id, meta: { versionId, lastUpdated } },
  search: { mode: "match" },
});

describe("fhir-r4 poll", () => {
  describe("of the sandbox EHR", () => {
    let bench: Bench;
    beforeEach(async () => {
      bench = await openBench();
      for (const family of ["A", "B", "C", "D", "E"]) {
        bench.sandbox.put(patient(family));
        bench.clock.advance(2_000);
      }
    });

    it("reads one page a call and moves its position only after the last", async () => {
      const first = await bench.connector.poll(request(undefined));
      assert.deepEqual([first.records.length, first.more, since(first.cursor)], [2, true, undefined]);
      const second = await bench.connector.poll(request(first.cursor));
      assert.deepEqual([second.records.length, second.more, since(second.cursor)], [2, true, undefined]);
      const third = await bench.connector.poll(request(second.cursor));
      assert.deepEqual([third.records.length, third.more], [1, false]);
      assert.equal(since(third.cursor), Math.floor((start + 10_000) / 1000) - 60);
      assert.equal(bench.sandbox.counts.requests, 3);
    });

    it("starts the position at the time of the first page, so that changes while paging are seen", async () => {
      const first = await bench.connector.poll(request(undefined, 3));
      bench.clock.advance(600_000);
      const changed = bench.sandbox.put(patient("While paging"));
      bench.clock.advance(600_000);
      const last = await bench.connector.poll(request(first.cursor, 3));
      assert.equal(last.more, false);
      const next = await bench.connector.poll(request(last.cursor, 50));
      assert.deepEqual(
        next.records.map((record) => record.ref.id),
        [changed["id"]],
      );
    });

    it("asks again when the next link has expired, from where it was", async () => {
      const first = await bench.connector.poll(request(undefined, 3));
      bench.sandbox.expirePages();
      const second = await bench.connector.poll(request(first.cursor, 3));
      const ids = [...first.records, ...second.records].map((record) => record.ref.id);
      assert.equal(new Set(ids).size, 5);
      assert.deepEqual([second.records.length, second.more], [2, false]);
    });

    it("reports a version once although the overlap reads it again, and a new version anew", async () => {
      const first = await bench.connector.poll(request(undefined, 50));
      assert.equal(first.records.length, 5);
      const again = await bench.connector.poll(request(first.cursor, 50));
      assert.deepEqual(again.records, []);
      const id = first.records[0]?.ref.id ?? "";
      bench.sandbox.edit("Patient", id, (resource) => ({ ...resource, active: true }));
      const third = await bench.connector.poll(request(again.cursor, 50));
      assert.deepEqual(
        third.records.map((record) => [record.ref.id, record.version]),
        [[id, "2"]],
      );
    });

    it("asks for nothing but types that it knows", async () => {
      await assert.rejects(bench.connector.poll({ ...request(undefined), type: "Patient/../Consent" }), {
        code: "input-unknown-type",
      });
      await bench.connector.poll({ ...request(undefined), type: "Consent" });
    });
  });

  it("follows no next link to another host or out of the base path; one inside it is followed as it is", async () => {
    let link = "";
    const server = await openScripted((asked) =>
      fhirJson(
        asked.url.search.includes("opaque")
          ? searchset([])
          : searchset([person("p1", "2026-03-02T10:00:00Z")], { link: [{ relation: "next", url: link }] }),
      ),
    );
    for (const url of [
      "https://elsewhere.example/fhir?page=2",
      `${server.origin}/other?p=2`,
      `${server.origin}/fhir/../x`,
    ]) {
      link = url;
      await assert.rejects(server.connector.poll(request(undefined)), { code: "host-not-allowed" });
    }
    link = `${server.origin}/fhir?opaque=a%7Cb&x=%2B`;
    const page = await server.connector.poll(request(undefined));
    assert.equal((await server.connector.poll(request(page.cursor))).more, false);
    assert.equal(server.requests.at(-1)?.url.search, "?opaque=a%7Cb&x=%2B");
  });

  it("refuses a next link that leads to itself", async () => {
    const server = await openScripted((_asked, origin) =>
      fhirJson(searchset([], { link: [{ relation: "next", url: `${origin}/fhir?page=1` }] })),
    );
    const page = await server.connector.poll(request(undefined));
    await assert.rejects(server.connector.poll(request(page.cursor)), { code: "system-answer-malformed" });
  });

  it("skips outcomes and included resources, and sorts what a server did not", async () => {
    const server = await openScripted(() =>
      fhirJson(
        searchset([
          person("late", "2026-03-02T10:00:05Z"),
          { resource: { resourceType: "OperationOutcome" }, search: { mode: "outcome" } },
          { resource: { resourceType: "Practitioner", id: "x" }, search: { mode: "include" } },
          person("early", "2026-03-02T10:00:01Z"),
        ]),
      ),
    );
    const page = await server.connector.poll(request(undefined));
    assert.deepEqual(
      page.records.map((record) => record.ref.id),
      ["early", "late"],
    );
  });

  it("takes a resource of another type for a malformed answer, not for a record", async () => {
    const server = await openScripted(() =>
      fhirJson(searchset([{ resource: { resourceType: "Practitioner", id: "x" } }])),
    );
    await assert.rejects(server.connector.poll(request(undefined)), { code: "system-answer-malformed" });
  });

  it("takes the earlier of the two server times, in whole seconds, and never the machine's", async () => {
    const date = new Date("2026-01-01T00:10:00Z").toUTCString();
    const server = await openScripted(() =>
      fhirJson(searchset([], { meta: { lastUpdated: "2026-01-01T00:05:00.900Z" } }), 200, { date }),
    );
    const page = await server.connector.poll(request(undefined));
    assert.equal(since(page.cursor), Date.parse("2026-01-01T00:04:00Z") / 1000);
    await server.connector.poll(request(page.cursor));
    assert.equal(server.requests.at(-1)?.url.searchParams.get("_lastUpdated"), "ge2026-01-01T00:04:00Z");
    assert.equal(server.requests.at(-1)?.headers["cache-control"], "no-cache");
  });
});
