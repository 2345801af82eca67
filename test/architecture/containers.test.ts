// docker-compose.yml, Dockerfile and .dockerignore: valid by the Compose specification's schema, clean to their linters, and
// locked down. What needs a Docker engine is in scripts/check-image.ts.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { validate } from "dockerfile-utils";
import { parse, stringify } from "yaml";
import { z } from "zod";
import {
  filesInContext,
  isSent,
  readDockerfile,
  readPatterns,
  unwantedIn,
  weaknessesOf,
} from "../../scripts/image-context.ts";
import { parseJson } from "../../src/core/json.ts";
import { root } from "./sources.ts";

const read = (path: string): string => readFileSync(join(root, path), "utf8");
const text = read("docker-compose.yml");
const passwords = ["MONGODB_ROOT_PASSWORD", "MONGODB_PASSWORD", "REDIS_PASSWORD", "METRICS_TOKEN"];

const serviceSchema = z.looseObject({
  image: z.string().default(""),
  user: z.string().default("root"),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  build: z.string().optional(),
  healthcheck: z.looseObject({ test: z.array(z.string()) }).optional(),
  logging: z.looseObject({ options: z.record(z.string(), z.string()).default({}) }).optional(),
  restart: z.string().optional(),
  pids_limit: z.int().optional(),
  mem_limit: z.string().optional(),
  privileged: z.boolean().default(false),
  ports: z.array(z.string()).default([]),
  networks: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
});
const composeSchema = z.looseObject({
  services: z.record(z.string(), serviceSchema),
  networks: z.record(z.string(), z.looseObject({ internal: z.boolean().default(false) })),
});
type Compose = z.output<typeof composeSchema>;

const document = (): unknown => parse(text, { merge: true });
const compose = (): Compose => composeSchema.parse(document());
const databases = ["mongodb", "redis"];

/** What a service lacks of being locked down; empty = nothing. */
function weaknesses({ services, networks }: Compose): string[] {
  return Object.entries(services).flatMap(([name, service]) => {
    const lacks: (readonly [boolean, string])[] = [
      [!/:\d+\.\d+\.\d+(-[a-z0-9.]+)?$/.test(service.image), "names no exact version"],
      [!/^[1-9]\d*:\d+$/.test(service.user), "may be root"],
      [!service.read_only, "may write its root file system"],
      [!service.cap_drop.includes("ALL"), "has capabilities"],
      [!service.security_opt.includes("no-new-privileges:true"), "may gain privileges"],
      [service.privileged, "is privileged"],
      [service.build === undefined && !service.healthcheck, "has no health check"],
      [service.logging?.options["max-size"] === undefined, "logs without a limit"],
      [service.restart === undefined, "is not started again"],
      [service.pids_limit === undefined || service.mem_limit === undefined, "has no limits"],
      [service.ports.some((port) => !port.startsWith("127.0.0.1:")), "is open to the network"],
      [service.volumes.some((volume) => /^[./]/.test(volume) && !volume.endsWith(":ro")), "may write the host's files"],
      [Object.values(service.environment).some(hasOwnSecret), "has a password of its own"],
      [
        databases.includes(name) && service.networks.some((one) => !networks[one]?.internal),
        "can be reached or call out",
      ],
    ];
    return lacks.filter(([lack]) => lack).map(([, what]) => `${name} ${what}`);
  });
}

/** A password that is written down, or has a default: each must come from a variable without which nothing starts. */
function hasOwnSecret(value: string): boolean {
  const inAddress = /:\/\/[^:@/]*:([^@]*)@/.exec(value)?.[1];
  const variables = [...value.matchAll(/\$\{([A-Z_]+)([^}]*)\}/g)];
  const loose = variables.some(([, name = "", rest = ""]) => passwords.includes(name) && !rest.startsWith(":?"));
  return loose || (inAddress !== undefined && !inAddress.startsWith("${"));
}

const lintResults = z.array(
  z.looseObject({ messages: z.array(z.looseObject({ rule: z.string(), message: z.string() })) }),
);
/** Its rules on order are a matter of taste. */
const lintRules = {
  "service-keys-order": 0,
  "services-alphabetical-order": 0,
  "top-level-properties-order": 0,
  "require-quotes-in-ports": [1, { quoteType: "double" }],
};

/** Messages of dclint, which holds the schema of the Compose specification. */
function lint(content: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), "sluice-compose-"));
  try {
    const [path, config] = [join(folder, "docker-compose.yml"), join(folder, "dclint.json")];
    writeFileSync(path, content);
    writeFileSync(config, JSON.stringify({ rules: lintRules }));
    const args = [join(root, "node_modules/dclint/bin/dclint.cjs"), "--formatter", "json", "--config", config, path];
    const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
    const results = lintResults.parse(parseJson(stdout));
    assert.equal(results.length, 1);
    return results.flatMap(({ messages }) => messages.map(({ rule, message }) => `${rule}: ${message}`));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("docker-compose.yml", () => {
  it("is valid by the Compose specification's schema, also with its anchors put in", () => {
    assert.deepEqual(lint(text), []);
    const merged = lint(stringify(document(), { aliasDuplicateObjects: false }));
    assert.deepEqual(
      merged.filter((message) => message.startsWith("invalid-schema")),
      [],
    );
  });

  it("the schema and the linter would find a mistake", () => {
    assert.match(lint(text.replace("  redis:\n    image:", "  redis:\n    imaje:")).join("\n"), /invalid-schema/);
    assert.match(lint(text.replace("redis:8.2.1-alpine", "redis:latest")).join("\n"), /no-version|version/);
    assert.notDeepEqual(lint(text.replace('"127.0.0.1:${', '"${')), []);
  });

  it("every service is locked down", () => {
    const found = compose();
    assert.deepEqual(Object.keys(found.services), ["gateway", "worker", "mongodb", "redis"]);
    assert.deepEqual(weaknesses(found), []);
  });

  const loosened: readonly (readonly [string, string, string])[] = [
    ["names no exact version", "mongo:8.0.20", "mongo:8"],
    ["may be root", '"999:999"', '"0:0"'],
    ["may write its root file system", "read_only: true", "read_only: false"],
    ["has capabilities", "cap_drop: [ALL]", "cap_drop: [CHOWN]"],
    ["may gain privileges", "no-new-privileges:true", "no-new-privileges:false"],
    ["logs without a limit", "max-size: 20m", "max-other: 20m"],
    ["is open to the network", '"127.0.0.1:${', '"0.0.0.0:${'],
    ["may write the host's files", "config:/app/config:ro", "config:/app/config"],
    ["has a password of its own", "${REDIS_PASSWORD:?set it in .env, see .env.example}@", "sluice@"],
    ["has a password of its own", "${MONGODB_ROOT_PASSWORD:?set it", "${MONGODB_ROOT_PASSWORD:-set it"],
    ["can be reached or call out", "internal: true", "internal: false"],
  ];
  for (const [what, from, to] of loosened) {
    it(`would find a service that ${what}: ${to}`, () => {
      assert.ok(text.includes(from));
      const found = weaknesses(composeSchema.parse(parse(text.replace(from, to), { merge: true })));
      assert.ok(
        found.some((weakness) => weakness.endsWith(what)),
        found.join("\n"),
      );
    });
  }

  it("gateway and worker wait for databases that answer, and find their configuration read-only", () => {
    const { gateway, worker } = compose().services;
    for (const service of [gateway, worker]) {
      assert.ok(service);
      for (const name of databases) assert.equal(service.depends_on[name]?.condition, "service_healthy");
      assert.ok(service.volumes.includes("./config:/app/config:ro"));
    }
  });

  it("every password is wanted, and .env.example gives none", () => {
    const example = read(".env.example");
    for (const name of passwords) {
      assert.ok(text.includes(`\${${name}:?`), name);
      assert.match(example, new RegExp(`^${name}=$`, "m"));
    }
    const variables = new Set([...text.matchAll(/(?<!\$)\$\{([A-Z_]+)/g)].map(([, name = ""]) => name));
    for (const name of variables) assert.match(example, new RegExp(`^#?${name}=$`, "m"), name);
  });

  it("docker compose config: refused while a password is missing, accepted with all", function () {
    if (spawnSync("docker", ["compose", "version"], { stdio: "ignore" }).status !== 0) {
      console.log("      docker compose is not installed; the file was checked by its schema only");
      this.skip();
    }
    const config = (env: Record<string, string>) =>
      spawnSync("docker", ["compose", "--env-file", "/dev/null", "config", "--quiet"], {
        cwd: root,
        encoding: "utf8",
        env: { PATH: process.env["PATH"], ...env },
      });
    const all = Object.fromEntries(passwords.map((name) => [name, "0a"]));
    assert.equal(config(all).status, 0, config(all).stderr);
    for (const name of passwords) {
      const refused = config({ ...all, [name]: "" });
      assert.notEqual(refused.status, 0);
      assert.match(refused.stderr, new RegExp(name));
    }
  });
});

describe("Dockerfile", () => {
  const dockerfile = read("Dockerfile");
  const problems = (content: string): string[] => validate(content).map(({ message }) => JSON.stringify(message));

  it("is clean to its linter", () => {
    assert.deepEqual(problems(dockerfile), []);
    assert.notDeepEqual(problems(dockerfile.replace("WORKDIR /app", "WORKDIRE /app")), []);
    assert.notDeepEqual(problems(dockerfile.replace("--interval=10s", "--interval=10")), []);
  });

  it("ends as a user that is not root, on bases with a version, with a health check, without a shell before node", () => {
    assert.deepEqual(weaknessesOf(readDockerfile(dockerfile)), []);
  });

  const loosened: readonly (readonly [RegExp, string, string])[] = [
    [/runs as root/, "USER 1000:1000", ""],
    [/runs as 0/, "USER 1000:1000", "USER 0"],
    [/names no version/, "FROM node:24-slim\n", "FROM node\n"],
    [/no HEALTHCHECK/, "HEALTHCHECK --interval", "LABEL interval"],
    [/shell/, 'ENTRYPOINT ["node", "bin/sluice.js"]', "ENTRYPOINT node bin/sluice.js"],
  ];
  for (const [what, from, to] of loosened) {
    it(`would find what ${what.source}: ${to || "(nothing)"}`, () => {
      assert.ok(dockerfile.includes(from));
      assert.match(weaknessesOf(readDockerfile(dockerfile.replace(from, to))).join("\n"), what);
    });
  }

  it("installs what runs, and nothing that only develops or belongs to a platform", () => {
    assert.match(dockerfile, /npm ci --omit=dev --omit=optional /);
  });
});

describe(".dockerignore", () => {
  it("sends the program and the example, no test, no key, no secret", () => {
    const sent = filesInContext(root);
    for (const path of ["bin/sluice.js", "src/cli/main.ts", "package-lock.json", "config/sluice.yaml"]) {
      assert.ok(sent.includes(path), path);
    }
    assert.deepEqual(unwantedIn(sent), []);
  });

  it("keeps keys and secrets out wherever they lie, and lets their neighbours in", () => {
    const patterns = readPatterns(read(".dockerignore"));
    const out = [
      "config/keys/data.key",
      "config/keys/sluice-es384.json",
      "config/tls/server.pem",
      "src/x.key",
      ".env",
      "config/.env",
      "systems.env",
      "config/crm.env",
      "test/unit/x.test.ts",
      "connectors/salesforce/x.test.ts",
      "scripts/mongodb-user.js",
      "docs/audit.md",
    ];
    assert.deepEqual(
      out.filter((path) => isSent(path, patterns)),
      [],
    );
    const kept = [
      "config/systems/crm.yaml",
      "src/settings/keys.ts",
      "scripts/link-node.cjs",
      "connectors/salesforce/index.ts",
    ];
    assert.deepEqual(
      kept.filter((path) => !isSent(path, patterns)),
      [],
    );
  });

  it("would find what must not be in an image", () => {
    const bad = [
      "test/unit/x.ts",
      "src/a.test.ts",
      "config/keys/data.key",
      "config/a.pem",
      ".env",
      "config/b.env",
      ".git/x",
    ];
    assert.deepEqual(unwantedIn([...bad, "src/settings/keys.ts", "config/sluice.yaml"]), bad);
  });
});
