// Reads the TypeScript sources: which file imports which, which room a file is in, and what is cast to what.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Source {
  /** From the project's root, with slashes: `src/core/ids.ts`. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly from: string;
  /** A path like `from` for a relative import, else the module's name as written. */
  readonly to: string;
  readonly relative: boolean;
}

export function sourcesIn(...folders: readonly string[]): Source[] {
  return filesIn(...folders)
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

/** All files below the folders; folders that do not exist hold none. */
export function filesIn(...folders: readonly string[]): string[] {
  return folders.flatMap((folder) => {
    try {
      return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath.slice(root.length), entry.name));
    } catch {
      return [];
    }
  });
}

/** Static, dynamic, type-only and re-exporting imports alike. */
export function importsOf(source: Source): Import[] {
  const found: Import[] = [];
  visit(source, (node) => {
    const specifier = specifierOf(node);
    if (specifier === undefined) return;
    const relative = specifier.startsWith(".");
    const to = relative ? normalize(join(dirname(source.path), specifier)) : specifier;
    found.push({ from: source.path, to, relative });
  });
  return found;
}

function specifierOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    return node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier) ? node.moduleSpecifier.text : undefined;
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
    return node.argument.literal.text;
  }
  if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.ImportKeyword) return undefined;
  const [argument] = node.arguments;
  return argument && ts.isStringLiteralLike(argument) ? argument.text : undefined;
}

/** `src/policy/consent.ts` → `policy`, `src/main.ts` → `root`, `connectors/…` → `connectors`; undefined elsewhere. */
export function roomOf(path: string): string | undefined {
  const [top, room, ...rest] = path.split("/");
  if (top === "connectors") return "connectors";
  if (top !== "src" || room === undefined) return undefined;
  return rest.length === 0 ? "root" : room;
}

/** Casts to one of the named types, also inside another type (`as Promise<Phi<string>>`): `path:line`. */
export function castsTo(source: Source, names: ReadonlySet<string>): string[] {
  const found: string[] = [];
  visit(source, (node, file) => {
    if (!ts.isAsExpression(node) && !ts.isTypeAssertionExpression(node)) return;
    if (!mentions(node.type, names)) return;
    found.push(`${source.path}:${file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1}`);
  });
  return found;
}

function mentions(type: ts.Node, names: ReadonlySet<string>): boolean {
  if (ts.isIdentifier(type) && names.has(type.text)) return true;
  return ts.forEachChild(type, (child) => mentions(child, names) || undefined) ?? false;
}

function visit(source: Source, look: (node: ts.Node, file: ts.SourceFile) => void): void {
  const file = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.ESNext, true);
  const step = (node: ts.Node): void => {
    look(node, file);
    ts.forEachChild(node, step);
  };
  step(file);
}
