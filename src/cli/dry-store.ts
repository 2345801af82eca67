// The ledger as a dry run may see it: reads are real, and so are entries of the audit log; every other write stays in
// memory, so that nothing which a running gateway relies on (cursors, consents, pauses, lanes) moves under it.
import type { EmbeddedStore } from "../embedded.ts";
import type { CursorState } from "../exchange/ports.ts";

export function dryStore(store: EmbeddedStore): EmbeddedStore {
  const cursors = new Map<string, CursorState>();
  const yes = (): Promise<boolean> => Promise.resolve(true);
  return {
    ...store,
    ledger: {
      ...store.ledger,
      accept: (rows) => Promise.resolve(rows.map(() => "known" as const)),
      peek: () => Promise.resolve(undefined),
      claim: (lane) => Promise.resolve({ lane, fence: 1 }),
      renew: yes,
      release: yes,
    },
    // True: what is read now counts in this run's own book.
    facts: { ...store.facts, putConsent: yes },
    cursors: {
      get: async (name) => cursors.get(name) ?? (await store.cursors.get(name)),
      move: (name, to) => {
        cursors.set(name, to);
        return Promise.resolve(true);
      },
    },
    systems: {
      get: (system) => store.systems.get(system),
      bind: async (system, identity) => {
        const { identity: bound } = await store.systems.get(system);
        return bound === undefined || JSON.stringify(bound) === JSON.stringify(identity);
      },
      pause: () => Promise.resolve(false),
      resume: () => Promise.resolve(false),
    },
  };
}
