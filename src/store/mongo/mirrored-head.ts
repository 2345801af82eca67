// Brings the mirrored audit head (`../mirror.ts`), which each process keeps on its own machine, up to the log in MongoDB.
import { readMirror, writeMirror } from "../mirror.ts";
import { broken, type AuditChain } from "./audit-chain.ts";

/**
 * The mirror never goes back: a log that lacks the mirrored batch was cut or written anew, so the mirror is left as the
 * evidence and `audit-broken` is thrown. A head that lags behind the log, since its writer died, is moved on first.
 */
export async function moveMirror(path: string, chain: AuditChain): Promise<void> {
  const kept = readMirror(path);
  const tail = await chain.tail();
  if (tail.n > (await chain.named()).n) await chain.moveHead(tail);
  if (kept && (await chain.hashAt(kept.n)) !== kept.hash) {
    throw broken(`it does not hold batch ${kept.n} as the mirrored head has it`);
  }
  const now = await chain.named();
  if (now.n > (kept?.n ?? 0)) writeMirror(path, now);
}
