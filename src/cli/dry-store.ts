// The ledger as a dry run may see it: reads are real, and so are entries of the audit log; every other write stays in
// memory, so that nothing which a running gateway relies on (cursors, consents, pauses, lanes) moves under it.
import type { CursorState, MirroredStore } from "../exchange/ports.ts";

export function dryStore(store: MirroredStore): MirroredStore {
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
    vault: dryVault(store),
    facts: { ...store.facts, putConsent: yes },
    cursors: {
      get: async (name) => cursors.get(name) ?? (await store.cursors.get(name)),
      move: (name, to) => {
        cursors.set(name, to);
        return Promise.resolve(true);
      },
    },
    registers: { ...store.registers, move: yes },
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

/** Keys and pseudonyms made in a dry run are of this run only. */
function dryVault({ vault }: MirroredStore): MirroredStore["vault"] {
  const made = new Map<string, string>();
  const own = (name: string, make: string | undefined): string | undefined => {
    if (make !== undefined && !made.has(name)) made.set(name, make);
    return made.get(name);
  };
  return {
    personKey: async (person, make) => (await vault.personKey(person)) ?? own(`key ${person}`, make),
    pseudonym: (recipient, record, make) => Promise.resolve(own(`${recipient} ${record}`, make) ?? make),
  };
}
