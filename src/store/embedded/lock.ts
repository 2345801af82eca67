// The exclusive lock on a data directory. It is a lock of the kernel's on an open file, taken through SQLite, so it falls
// with the process that holds it, also on kill -9; a pid file beside it only names the holder.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SluiceError } from "../../core/errors.ts";

export interface Lock {
  /** Gives the directory free. Calling it again does nothing. */
  release(): void;
}

/** Throws `data-locked` when another process (or this one) holds the directory, `store-unavailable` when it cannot be used. */
export function acquireLock(directory: string): Lock {
  const pidFile = join(directory, "lock.pid");
  const connection = openLock(directory);
  try {
    connection.exec("BEGIN EXCLUSIVE");
    writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    connection.close();
    throw isBusy(error) ? locked(pidFile) : unusable();
  }
  let held = true;
  return {
    release: () => {
      if (!held) return;
      held = false;
      rmSync(pidFile, { force: true }); // while the lock is still ours: afterwards it would be the next holder's file
      connection.close();
    },
  };
}

function openLock(directory: string): DatabaseSync {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return new DatabaseSync(join(directory, "lock.sqlite"), { timeout: 0 });
  } catch {
    throw unusable();
  }
}

/** SQLITE_BUSY. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === 5;
}

function locked(pidFile: string): SluiceError {
  const holder = holderOf(pidFile);
  const who = holder === undefined ? "another process" : `process ${holder}`;
  return new SluiceError("data-locked", `${who} is using this data directory`, {
    hint:
      holder === undefined
        ? "stop the running Sluice, or choose another --data directory"
        : `stop process ${holder}, or choose another --data directory`,
  });
}

function holderOf(pidFile: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidFile, "utf8"));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function unusable(): SluiceError {
  return new SluiceError("store-unavailable", "the data directory cannot be locked", {
    hint: "check the rights of the --data directory and the space on its disk",
  });
}
