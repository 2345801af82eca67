// The dashboard and the alert rules under docs/monitoring speak of metrics and labels that `/metrics` has, every metric is
// shown somewhere, and every alert says what to do. `promtool` checks the rules too where it is installed.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { parseJson } from "../../../src/core/json.ts";
import { createMeters, processRegistry } from "../../../src/http/metrics/meters.ts";
import { root } from "../../architecture/sources.ts";

const read = (path: string): string => readFileSync(join(root, path), "utf8");
const monitoring = join(root, "docs/monitoring");

const ruleSchema = z.strictObject({
  alert: z.string().regex(/^Sluice[A-Z][A-Za-z]+$/),
  expr: z.string().min(5),
  for: z
    .string()
    .regex(/^\d+[smh]$/)
    .optional(),
  labels: z.strictObject({ severity: z.enum(["critical", "warning", "info"]) }),
  annotations: z.strictObject({ summary: z.string().min(15), action: z.string().min(30) }),
});
const rulesSchema = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(ruleSchema).min(1) })).min(1),
});
const dashboardSchema = z.looseObject({
  title: z.string(),
  uid: z.string(),
  templating: z.object({ list: z.array(z.looseObject({ name: z.string(), definition: z.string().optional() })) }),
  panels: z.array(
    z.looseObject({
      id: z.int(),
      title: z.string().min(3),
      type: z.enum(["row", "stat", "timeseries", "table"]),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
      targets: z.array(z.looseObject({ expr: z.string() })).optional(),
    }),
  ),
});

const rules = rulesSchema.parse(parse(read("docs/monitoring/alerts.yaml"))).groups.flatMap((group) => group.rules);
const dashboard = dashboardSchema.parse(parseJson(read("docs/monitoring/dashboard.json")));
const shown = dashboard.panels.flatMap((panel) => (panel.targets ?? []).map((target) => target.expr));
const expressions = [...rules.map((rule) => rule.expr), ...shown];

/** What Prometheus adds to every series. */
const added = ["job", "instance"];

/** Every series name that `/metrics` can print, with its labels. */
async function series(): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>([["up", added]]);
  for (const registry of [createMeters().registry, processRegistry()]) {
    for (const { name, type } of await registry.getMetricsAsJSON()) {
      const labels = labelsOf(registry.getSingleMetric(name));
      const suffixes = String(type) === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      for (const suffix of suffixes)
        found.set(name + suffix, [...labels, ...added, ...(suffix === "_bucket" ? ["le"] : [])]);
    }
  }
  return found;
}

/** prom-client keeps them on the metric, its types do not say so. */
function labelsOf(metric: unknown): readonly string[] {
  return z.object({ labelNames: z.array(z.string()) }).parse(metric).labelNames;
}

/** PromQL's own words that look like names. */
const words = new Set(
  `sum max min count rate increase by on and or unless offset absent histogram_quantile max_over_time`.split(" "),
);

interface Spoken {
  readonly name: string;
  readonly labels: readonly string[];
}

/** Metrics that an expression names, each with the labels that its selector names. */
function spokenOf(expr: string): Spoken[] {
  const bare = expr.replaceAll(/\b(by|on)\s*\([^)]*\)/g, " ");
  return [...bare.matchAll(/\b([a-z][a-z0-9_]*)\b(?:\{([^}]*)\})?(?=(?:[^"]*"[^"]*")*[^"]*$)/g)]
    .map(([, name = "", selector = ""]) => ({
      name,
      labels: [...selector.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label = ""]) => label),
    }))
    .filter(({ name }) => !words.has(name) && !/^\d/.test(name) && !/^[smhd]$/.test(name));
}

/** Labels by which an expression groups or joins. */
function groupedBy(expr: string): string[] {
  return [...expr.matchAll(/\b(?:by|on)\s*\(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/));
}

async function unknownIn(expr: string): Promise<string[]> {
  const known = await series();
  const spoken = spokenOf(expr);
  assert.ok(spoken.length > 0, expr);
  const all = spoken.flatMap(({ name }) => known.get(name) ?? []);
  return [
    ...spoken.filter(({ name }) => !known.has(name)).map(({ name }) => name),
    ...spoken.flatMap(({ name, labels }) => labels.filter((label) => !known.get(name)?.includes(label))),
    ...groupedBy(expr).filter((label) => !all.includes(label)),
  ];
}

describe("docs/monitoring", () => {
  it("names only metrics and labels that /metrics has", async () => {
    assert.ok(expressions.length > 40);
    for (const expr of expressions) assert.deepEqual(await unknownIn(expr), [], expr);
  });

  it("would find a metric or a label that is not there", async () => {
    assert.deepEqual(await unknownIn("sum by (channel) (rate(sluice_deliverys_total[5m])) > 1"), [
      "sluice_deliverys_total",
      "channel",
    ]);
    assert.deepEqual(await unknownIn('sluice_deliveries_total{result="applied"}'), ["result"]);
    assert.deepEqual(await unknownIn("max by (patient) (sluice_oldest_queued_seconds)"), ["patient"]);
  });

  it("shows every metric of Sluice's own somewhere", async () => {
    const spoken = new Set(expressions.flatMap(spokenOf).map(({ name }) => name.replace(/_(bucket|sum|count)$/, "")));
    const own = (await createMeters().registry.getMetricsAsJSON()).map(({ name }) => name);
    assert.ok(own.every((name) => name.startsWith("sluice_")));
    assert.deepEqual(
      own.filter((name) => !spoken.has(name)),
      [],
    );
  });

  it("each alert is named once, and says what to do, there and in the guide", () => {
    const names = rules.map((rule) => rule.alert);
    assert.equal(new Set(names).size, names.length);
    const guide = read("docs/production.md");
    assert.deepEqual(
      names.filter((name) => !guide.includes(`\`${name}\``)),
      [],
    );
    const inGuide = [...guide.matchAll(/^\| `(Sluice\w+)`/gm)].map(([, name = ""]) => name);
    assert.deepEqual(inGuide.toSorted(), names.toSorted());
  });

  it("the commands that alerts and guide give are commands of Sluice", () => {
    const main = read("src/cli/main.ts");
    const texts = [...rules.map((rule) => rule.annotations.action), read("docs/production.md")];
    const commands = texts.flatMap((text) => [...text.matchAll(/`(?:npx )?sluice ([a-z-]+)/g)].map(([, name]) => name));
    assert.ok(commands.length > 5);
    assert.deepEqual(
      commands.filter((name) => !main.includes(`.command("${name}`)),
      [],
    );
  });

  it("panels do not overlap and have ids of their own", () => {
    const { panels } = dashboard;
    assert.equal(new Set(panels.map((panel) => panel.id)).size, panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, n) => `${x + (n % w)},${y + Math.floor(n / w)}`),
    );
    assert.equal(new Set(cells).size, cells.length);
    assert.ok(panels.every(({ gridPos }) => gridPos.x + gridPos.w <= 24));
  });

  it("promtool takes the rules and the scrape configuration", function () {
    const version = spawnSync("promtool", ["--version"], { encoding: "utf8" });
    if (version.error) {
      console.log("      promtool is not installed; the rules were checked by their structure only");
      this.skip();
    }
    for (const args of [
      ["check", "rules", "alerts.yaml"],
      ["check", "config", "--syntax-only", "prometheus.yaml"],
    ]) {
      const { status, stderr, stdout } = spawnSync("promtool", args, { cwd: monitoring, encoding: "utf8" });
      assert.equal(status, 0, stdout + stderr);
    }
  });
});
