// The sandbox EHR's memory: every version of every resource, with ids, versions and change times as a server assigns them.
import { instant } from "../../../src/core/clock.ts";
import type { JsonObject } from "../../../src/core/json.ts";

export type Resource = JsonObject & { readonly resourceType: string };

export type StoredResource = Resource & { readonly id: string };

/** A resource as stored: with id and meta. */
export interface Version {
  readonly type: string;
  readonly id: string;
  readonly version: number;
  /** Milliseconds. */
  readonly changed: number;
  readonly resource: StoredResource;
}

export class ResourceStore {
  readonly #now: () => number;
  readonly #keysOf: (version: Version) => readonly string[];
  readonly #versions = new Map<string, Version[]>();
  /** By type and id. */
  readonly #newest = new Map<string, Map<string, Version>>();
  /** By type and search key. */
  readonly #keyed = new Map<string, Map<string, Version>>();
  #ids = 0;

  /** @param keysOf By what the newest version of a resource can be found without looking at all of its type. */
  constructor(now: () => number, keysOf: (version: Version) => readonly string[] = () => []) {
    this.#now = now;
    this.#keysOf = keysOf;
  }

  newId(): string {
    this.#ids += 1;
    return `ehr-${this.#ids}`;
  }

  latest(type: string, id: string): Version | undefined {
    return this.history(type, id).at(-1);
  }

  /** Oldest first. */
  history(type: string, id: string): readonly Version[] {
    return this.#versions.get(`${type}/${id}`) ?? [];
  }

  remove(type: string, id: string): void {
    this.#unlist(type, id);
    this.#newest.get(type)?.delete(id);
    this.#versions.delete(`${type}/${id}`);
  }

  all(type: string): readonly Version[] {
    return [...(this.#newest.get(type)?.values() ?? [])];
  }

  /** Those of `all` that have the key. */
  keyed(type: string, key: string): readonly Version[] {
    return [...(this.#keyed.get(`${type} ${key}`)?.values() ?? [])];
  }

  /** Stores a new version; `id` and `meta` are the server's, the rest is kept as given. `agoMs` dates it back. */
  save(resource: Resource, id: string, agoMs = 0): Version {
    const type = resource.resourceType;
    const list = this.#versions.get(`${type}/${id}`) ?? [];
    const changed = this.#now() - agoMs;
    const version = list.length + 1;
    const meta = {
      ...(resource["meta"] as JsonObject | undefined),
      versionId: String(version),
      lastUpdated: instant(changed),
    };
    const made = { type, id, version, changed, resource: structuredClone({ ...resource, id, meta }) };
    this.#versions.set(`${type}/${id}`, [...list, made]);
    this.#unlist(type, id);
    mapIn(this.#newest, type).set(id, made);
    for (const key of this.#keysOf(made)) mapIn(this.#keyed, `${type} ${key}`).set(id, made);
    return made;
  }

  /** Takes the newest version out of the lists by key. */
  #unlist(type: string, id: string): void {
    const version = this.#newest.get(type)?.get(id);
    for (const key of version ? this.#keysOf(version) : []) this.#keyed.get(`${type} ${key}`)?.delete(id);
  }
}

function mapIn(maps: Map<string, Map<string, Version>>, key: string): Map<string, Version> {
  const made = maps.get(key) ?? new Map<string, Version>();
  maps.set(key, made);
  return made;
}
