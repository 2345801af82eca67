// What one line of the audit log holds. The header is canonical JSON without PHI; the sealed part is AES-256-GCM under
// the person's key; the hash of the batch covers both exactly as stored (ARCHITECTURE, Audit log).

/** As kept in a batch. */
export interface AuditEntry {
  /** `(exchange, attempt, step)` or a random id; may repeat after a crash, readers take the first. */
  readonly key: string;
  /** Canonical JSON text, no PHI: ids, codes, versions, element names, the person's pseudonym. */
  readonly header: string;
  /** Base64 of iv ‖ tag ‖ ciphertext, or empty when there is nothing to seal. */
  readonly sealed: string;
  /** SHA-256(salt ‖ plaintext) with the salt inside the ciphertext, base64url; empty when nothing is sealed. */
  readonly commitment: string;
}

export interface AuditBatch {
  /** Consecutive from 1. */
  readonly n: number;
  /** Random, tells a writer whether a batch that it finds is its own. */
  readonly batch: string;
  /** Hash of batch n − 1; of batch 1: the empty string. */
  readonly prev: string;
  /** SHA-256 over `n`, `batch`, `prev` and every entry as stored. */
  readonly hash: string;
  readonly entries: readonly AuditEntry[];
}

export interface AuditHead {
  readonly n: number;
  readonly hash: string;
}
