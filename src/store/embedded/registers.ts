// The small registers in SQLite: cursors, systems, configuration versions, states moved by compare-and-swap, and the vault
// of keys and pseudonyms.
import { canonicalJson } from "../../core/json.ts";
import type { CursorState, Hold, Registered, SystemState } from "../../exchange/ports.ts";
import { announce } from "./changes.ts";
import { stands } from "./lanes.ts";
import { integer, json, maybeText, text } from "./transaction.ts";
import type { Transaction } from "./transaction.ts";

export function cursor(tx: Transaction, name: string): CursorState | undefined {
  const row = tx.db.one("SELECT value, good_at FROM cursors WHERE name = ?", name);
  return row && { value: text(row, "value"), goodAt: integer(row, "good_at") };
}

export function moveCursor(tx: Transaction, name: string, to: CursorState, hold: Hold): boolean {
  if (!stands(tx, hold)) return false;
  tx.db.run("INSERT OR REPLACE INTO cursors (name, value, good_at) VALUES (?, ?, ?)", name, to.value, to.goodAt);
  return true;
}

export function system(tx: Transaction, id: string): SystemState {
  const row = tx.db.one("SELECT identity, paused_since, paused_cause, paused_fix FROM systems WHERE system = ?", id);
  if (row === undefined) return { identity: undefined, paused: undefined };
  const paused = row["paused_since"] !== null && {
    since: integer(row, "paused_since"),
    cause: text(row, "paused_cause"),
    fix: text(row, "paused_fix"),
  };
  return {
    identity: json(row, "identity") as Readonly<Record<string, string>> | undefined,
    paused: paused || undefined,
  };
}

export function bind(tx: Transaction, id: string, identity: Readonly<Record<string, string>>): boolean {
  const asked = canonicalJson(identity);
  tx.db.run("INSERT OR IGNORE INTO systems (system) VALUES (?)", id);
  tx.db.run("UPDATE systems SET identity = ? WHERE system = ? AND identity IS NULL", asked, id);
  const row = tx.db.one("SELECT identity FROM systems WHERE system = ?", id);
  return row !== undefined && maybeText(row, "identity") === asked;
}

export function pause(tx: Transaction, id: string, since: number, cause: string, fix: string): boolean {
  tx.db.run("INSERT OR IGNORE INTO systems (system) VALUES (?)", id);
  const set = "paused_since = ?, paused_cause = ?, paused_fix = ?";
  const sql = `UPDATE systems SET ${set} WHERE system = ? AND paused_since IS NULL`;
  if (tx.db.run(sql, since, cause, fix, id) !== 1) return false;
  announce(tx, "system", id);
  return true;
}

export function resume(tx: Transaction, id: string): boolean {
  const set = "paused_since = NULL, paused_cause = NULL, paused_fix = NULL";
  if (tx.db.run(`UPDATE systems SET ${set} WHERE system = ? AND paused_since IS NOT NULL`, id) !== 1) return false;
  announce(tx, "system", id);
  return true;
}

export function activate(tx: Transaction, hash: string, configuration: string, at: number, reason: string): void {
  tx.db.run("INSERT OR IGNORE INTO configurations (hash, configuration) VALUES (?, ?)", hash, configuration);
  tx.db.run("INSERT INTO activations (hash, at, reason) VALUES (?, ?, ?)", hash, at, reason);
  announce(tx, "configuration", hash);
}

export function current(tx: Transaction): string | undefined {
  const row = tx.db.one("SELECT hash FROM activations ORDER BY no DESC LIMIT 1");
  return row && text(row, "hash");
}

export function configuration(tx: Transaction, hash: string): string | undefined {
  const row = tx.db.one("SELECT configuration FROM configurations WHERE hash = ?", hash);
  return row && text(row, "configuration");
}

export function decidedUnder(tx: Transaction, channel: string): string | undefined {
  const row = tx.db.one("SELECT version FROM decided_under WHERE channel = ?", channel);
  return row && text(row, "version");
}

export function setDecidedUnder(tx: Transaction, channel: string, version: string): void {
  tx.db.run("INSERT OR REPLACE INTO decided_under (channel, version) VALUES (?, ?)", channel, version);
}

export function personKey(tx: Transaction, person: string, make?: string): string | undefined {
  if (make !== undefined) tx.db.run("INSERT OR IGNORE INTO person_keys (person, wrapped) VALUES (?, ?)", person, make);
  const row = tx.db.one("SELECT wrapped FROM person_keys WHERE person = ?", person);
  return row && text(row, "wrapped");
}

export function pseudonym(tx: Transaction, recipient: string, record: string, make: string): string {
  tx.db.run(
    "INSERT OR IGNORE INTO pseudonyms (recipient, record, pseudonym) VALUES (?, ?, ?)",
    recipient,
    record,
    make,
  );
  const sql = "SELECT pseudonym FROM pseudonyms WHERE recipient = ? AND record = ?";
  return text(tx.db.one(sql, recipient, record) ?? {}, "pseudonym");
}

export function register(tx: Transaction, name: string): Registered | undefined {
  const row = tx.db.one("SELECT version, value FROM registers WHERE name = ?", name);
  return row && { version: integer(row, "version"), value: text(row, "value") };
}

export function moveRegister(
  tx: Transaction,
  name: string,
  seen: number,
  value: string,
  options: { readonly announce?: boolean } = {},
): boolean {
  const moved =
    seen === 0
      ? tx.db.run("INSERT OR IGNORE INTO registers (name, version, value) VALUES (?, 1, ?)", name, value)
      : tx.db.run(
          "UPDATE registers SET version = version + 1, value = ? WHERE name = ? AND version = ?",
          value,
          name,
          seen,
        );
  if (moved !== 1) return false;
  if (options.announce) announce(tx, "register", name);
  return true;
}

export function listRegisters(tx: Transaction, prefix: string): readonly (Registered & { readonly name: string })[] {
  const sql = "SELECT name, version, value FROM registers WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name";
  return tx.db
    .all(sql, prefix)
    .map((row) => ({ name: text(row, "name"), version: integer(row, "version"), value: text(row, "value") }));
}
