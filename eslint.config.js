// Typed lint is part of the safety argument: no `any`, no floating promise, and the packages and globals that only one
// room may use (ARCHITECTURE, Rooms; test/architecture checks the arrows between rooms).
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

const env = {
  object: "process",
  property: "env",
  message: "Only src/settings reads the environment; take the value as a parameter.",
};
const json = {
  object: "JSON",
  property: "parse",
  message: "Use parseJson of src/core/json.ts, which returns unknown.",
};
const now = { object: "Date", property: "now", message: "Take a Clock (src/core/clock.ts)." };
const random = { object: "Math", property: "random", message: "Take a Random (src/core/ids.ts)." };

const owners = {
  "src/queue": ["bullmq", "ioredis", "@electric-sql/pglite"],
  "src/http": ["express", "prom-client"],
  "src/store/mongo": ["mongoose"],
};

/** `no-restricted-imports` for a folder that owns some packages: all that others own. */
function restrictedImports(own) {
  const group = Object.entries(owners).flatMap(([folder, names]) => (folder === own ? [] : names));
  const message = "Another room owns this package: see the table in ARCHITECTURE.md.";
  return ["error", { patterns: [{ group: group.flatMap((name) => [name, `${name}/*`]), message }] }];
}

export default defineConfig(
  globalIgnores(["node_modules/", "coverage/", ".sluice/", "test/peers/**/target/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      eqeqeq: "error",
      "no-console": "off",
      "no-restricted-properties": ["error", json],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidOperator: true, ignoreVoidReturningFunctions: true },
      ],
      // `return promise` and `return await promise` differ only inside try, where this asks for the await.
      "@typescript-eslint/return-await": ["error", "error-handling-correctness-only"],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", ignoreRestSiblings: true }],
      // What is split into characters here are codes and ids, not people's writing.
      "@typescript-eslint/no-misused-spread": ["error", { allow: [{ from: "lib", name: "string" }] }],
      // Implementations of a port are async because the port is, whether or not this one waits for anything.
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-unnecessary-condition": ["error", { allowConstantLoopConditions: true }],
    },
  },
  {
    files: ["src/**/*.ts", "connectors/**/*.ts"],
    rules: {
      "no-restricted-properties": ["error", json, env, now, random],
      "no-restricted-imports": restrictedImports(undefined),
    },
  },
  ...Object.keys(owners).map((folder) => ({
    files: [`${folder}/**/*.ts`],
    rules: { "no-restricted-imports": restrictedImports(folder) },
  })),
  {
    files: ["src/settings/**/*.ts"],
    rules: { "no-restricted-properties": ["error", json, now, random] },
  },
  {
    files: ["src/core/json.ts"],
    rules: { "no-restricted-properties": ["error", env, now, random] },
  },
  {
    files: ["src/core/clock.ts", "src/core/ids.ts"],
    rules: { "no-restricted-properties": ["error", json, env] },
  },
  {
    files: ["test/**/*.ts", "bench/**/*.ts", "scripts/**/*.ts", "**/*.test.ts"],
    rules: {
      "no-restricted-properties": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
      // Hooks and fakes hand methods on; assertions look at what the types already promise.
      "@typescript-eslint/unbound-method": "off",
      "@typescript-eslint/no-unnecessary-condition": "off",
    },
  },
);
