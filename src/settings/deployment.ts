// Where a deployment keeps its ledger and its queue, and how it is reached: the parts of `config/sluice.yaml` that belong
// to a machine and not to a decision, so they are in no hash. Commands that need nothing else read only these.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { SluiceError } from "../core/errors.ts";
import { environment } from "./environment.ts";
import { readSluice, type Overrides } from "./files.ts";
import { ConfigurationError, inOrder, type Problem } from "./problems.ts";
import { resolveText, type Env, type ReferenceBase } from "./references.ts";
import type { sluiceSchema } from "./schemas.ts";

type SluiceFile = z.output<typeof sluiceSchema>;

/** Addresses may hold passwords: they are never printed. */
export interface ProductionPlaces {
  readonly mongodb: string;
  readonly redis: string;
  /** PEM texts: a private authority that signed the certificate of Redis; a certificate of our own with its key. */
  readonly redisTls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Database name, and what stands before every Redis key. */
  readonly prefix: string;
}

export type Deployment = { readonly profile: "embedded" } | ({ readonly profile: "production" } & ProductionPlaces);

export interface HttpSettings {
  /** A reverse proxy with TLS stands in front: addresses other than loopback may be listened on. */
  readonly trustProxy: boolean;
  /** PEM texts. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Bearer token of whoever reads `/metrics` from another machine. */
  readonly metricsToken?: string;
}

export interface DeploymentOptions {
  readonly env?: Env;
  readonly overrides?: Overrides;
}

/** A directory without `sluice.yaml` is embedded. Throws ConfigurationError, and `config-invalid` for a missing secret. */
export async function readDeployment(dir: string, options: DeploymentOptions = {}): Promise<Deployment> {
  const file = await readFileOf(dir, options);
  if (file?.profile !== "production") return { profile: "embedded" };
  return { profile: "production", ...(await placesOf(file, baseOf(dir, options))) };
}

/** What `migrate` moves to: the `production` section, whatever the profile is. */
export async function readProductionPlaces(dir: string, options: DeploymentOptions = {}): Promise<ProductionPlaces> {
  const file = await readFileOf(dir, options);
  if (!file) throw new SluiceError("config-invalid", `there is no ${join(dir, "sluice.yaml")}`);
  return placesOf(file, baseOf(dir, options));
}

export async function readHttpSettings(dir: string, options: DeploymentOptions = {}): Promise<HttpSettings> {
  const http = (await readFileOf(dir, options))?.http;
  if (!http) return { trustProxy: false };
  const base = baseOf(dir, options);
  const { trustProxy, tls, metricsToken } = http;
  return {
    trustProxy,
    ...(tls && {
      tls: { certificate: await secret(tls.certificate, base), key: await secret(tls.key, base) },
    }),
    ...(metricsToken !== undefined && { metricsToken: await secret(metricsToken, base) }),
  };
}

async function readFileOf(dir: string, options: DeploymentOptions): Promise<SluiceFile | undefined> {
  if (!existsSync(join(dir, "sluice.yaml"))) return undefined;
  const problems: Problem[] = [];
  const read = await readSluice(dir, options.overrides?.sluice, problems);
  if (!read) throw new ConfigurationError(inOrder(problems));
  return read.value;
}

function baseOf(dir: string, options: DeploymentOptions): ReferenceBase {
  return { dir, env: options.env ?? environment() };
}

async function placesOf(file: SluiceFile, base: ReferenceBase): Promise<ProductionPlaces> {
  if (!file.production) {
    throw new SluiceError("config-invalid", "sluice.yaml says nothing of the production profile", {
      hint: "add a section `production:` with mongodb and redis (docs/production.md)",
    });
  }
  const { mongodb, redis, prefix } = file.production;
  return {
    mongodb: await secret(mongodb, base),
    redis: await secret(redis, base),
    ...(await redisTlsOf(file.production, base)),
    prefix,
  };
}

async function redisTlsOf(
  { redisCa, redisCert, redisKey }: NonNullable<SluiceFile["production"]>,
  base: ReferenceBase,
): Promise<Pick<ProductionPlaces, "redisTls">> {
  const given = Object.entries({ ca: redisCa, cert: redisCert, key: redisKey });
  const texts: [string, string][] = [];
  for (const [name, reference] of given) if (reference !== undefined) texts.push([name, await secret(reference, base)]);
  return texts.length === 0 ? {} : { redisTls: Object.fromEntries(texts) };
}

async function secret(reference: string, base: ReferenceBase): Promise<string> {
  const text = await resolveText(reference, base);
  if (typeof text === "string") return text;
  throw new SluiceError("config-invalid", text.message, { hint: text.hint });
}
