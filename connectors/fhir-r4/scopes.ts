// Whether the scopes that a token endpoint granted cover the scopes that a connection needs (SMART App Launch 2.2,
// "Scopes for requesting FHIR Resources": v1 `read`, `write`, `*`; v2 letters c, r, u, d, s).

interface Permission {
  readonly context: string;
  readonly type: string;
  readonly letters: string;
}

const versionOne: Readonly<Record<string, string>> = { read: "rs", write: "cud", "*": "cruds" };

function permission(scope: string): Permission | undefined {
  const parts = /^(system|user|patient)\/([A-Z][A-Za-z]*|\*)\.(read|write|\*|c?r?u?d?s?)$/.exec(scope);
  const [, context, type, rights] = parts ?? [];
  if (!context || !type || !rights) return undefined;
  return { context, type, letters: versionOne[rights] ?? rights };
}

/**
 * The needed scopes that are not covered, in the order given. A scope that is no SMART resource scope, or that carries a
 * search restriction, is covered only by the same text.
 */
export function missingScopes(needed: readonly string[], granted: readonly string[]): readonly string[] {
  const texts = new Set(granted);
  const permissions = granted.map(permission).filter((one) => one !== undefined);
  return needed.filter((scope) => !texts.has(scope) && !covers(permissions, permission(scope)));
}

function covers(granted: readonly Permission[], needed: Permission | undefined): boolean {
  if (!needed) return false;
  const letters = granted
    .filter((one) => one.context === needed.context && (one.type === "*" || one.type === needed.type))
    .map((one) => one.letters)
    .join("");
  return [...needed.letters].every((letter) => letters.includes(letter));
}
