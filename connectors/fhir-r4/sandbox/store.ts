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
  readonly #versions = new Map<string, Version[]>();
  #ids = 0;

  constructor(now: () => number) {
    this.#now = now;
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
    this.#versions.delete(`${type}/${id}`);
  }

  all(type: string): readonly Version[] {
    return [...this.#versions.values()].flatMap((list) => list.at(-1) ?? []).filter((one) => one.type === type);
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
    return made;
  }
}
