// Whatever a consent holds: the gate never throws, never permits on what is no consent, and knowing less never turns a
// refusal into a permit.
import assert from "node:assert/strict";
import fc from "fast-check";
import { isJsonObject, type Json, type JsonObject } from "../../src/core/json.ts";
import {
  actor,
  consent,
  deny,
  judge,
  label,
  nested,
  optIn,
  optOut,
  permit,
  purpose,
  resourceClass,
} from "../unit/policy/consent-cases.ts";

const parts = fc.constantFrom<JsonObject>(
  {},
  actor("Organization/crm"),
  actor("Organization/other"),
  purpose("HOPERAT"),
  purpose("HMARKT"),
  purpose("HOPERAT", "TREAT"),
  resourceClass("Patient"),
  resourceClass("Claim"),
  { period: { end: "2026-01-01" } },
  { period: { end: "2026-12-31" } },
);
const jsonValues = fc.jsonValue() as fc.Arbitrary<Json>;

function rules(depth: number): fc.Arbitrary<JsonObject> {
  const inner = depth === 0 ? fc.constant<JsonObject[]>([]) : fc.array(rules(depth - 1), { maxLength: 2 });
  return fc
    .tuple(fc.constantFrom(permit, deny), parts, parts, inner)
    .map(([make, one, two, children]) => make(one, two, children.length > 0 ? nested(...children) : {}));
}
const bodies = fc
  .tuple(fc.constantFrom({}, optIn, optOut), rules(2), fc.boolean())
  .map(([policy, root, typed]): JsonObject => {
    const { type: _type, ...untyped } = root;
    return { ...policy, provision: typed ? root : untyped };
  });

/** The same consent with one more condition that cannot be evaluated, on the n-th provision. */
function blur(body: JsonObject, n: number): JsonObject {
  let left = n;
  const walk = (value: JsonObject): JsonObject => {
    const mine = left-- === 0 ? label("R") : {};
    const inner = value["provision"];
    return { ...value, ...mine, ...(Array.isArray(inner) ? { provision: (inner as JsonObject[]).map(walk) } : {}) };
  };
  return isJsonObject(body["provision"]) ? { ...body, provision: walk(body["provision"]) } : body;
}

describe("policy/consent, any consent", () => {
  it("never throws, and never permits on what is no consent", () => {
    fc.assert(
      fc.property(fc.jsonValue(), jsonValues, (whole, provision) => {
        assert.equal(judge([{ ...consent({}), resource: whole }], { implicit: "permit" }).outcome, "deny");
        const finding = judge([consent({ provision })], { implicit: "permit" });
        assert.ok(finding.outcome === "deny" || isJsonObject(provision));
      }),
    );
  });

  it("lets a refusal of everything override any other consent", () => {
    fc.assert(
      fc.property(fc.array(bodies, { maxLength: 3 }), (others) => {
        const records = others.map((body, index) => consent(body, `c${index}`));
        assert.equal(judge([...records, consent({ provision: deny() }, "no")], { implicit: "permit" }).outcome, "deny");
      }),
    );
  });

  it("never turns a refusal into a permit when one of its conditions cannot be evaluated", () => {
    let [refusals, permits] = [0, 0];
    fc.assert(
      fc.property(bodies, fc.nat({ max: 5 }), (body, n) => {
        const before = judge([consent(body)], { implicit: "permit" });
        if (before.rule === "consent-permit") permits += 1;
        if (before.rule !== "consent-deny-overrides") return;
        refusals += 1;
        assert.equal(judge([consent(blur(body, n))], { implicit: "permit" }).outcome, "deny");
      }),
      { numRuns: 500 },
    );
    assert.ok(refusals > 50 && permits > 20, `${refusals} ${permits}`);
  });

  it("does not depend on the order of the consents or of sibling rules", () => {
    fc.assert(
      fc.property(bodies, bodies, (one, two) => {
        const [a, b] = [consent(one, "a"), consent(two, "b")];
        assert.equal(judge([a, b]).rule, judge([b, a]).rule);
        const root = one["provision"] as JsonObject;
        const inner = root["provision"];
        if (!Array.isArray(inner)) return;
        const reversed = { ...one, provision: { ...root, provision: [...(inner as Json[])].reverse() } };
        assert.equal(judge([consent(reversed)]).rule, judge([consent(one)]).rule);
      }),
    );
  });
});
