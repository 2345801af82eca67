// A person's decision on a channel that its brake has stopped: apply, discard or restore what was accepted until now. On
// record before it counts. It is carried out by the exchanges themselves as they run, through all gates (`pass.ts`).
import type { BrakeKind, Channel } from "../../core/configuration.ts";
import { SluiceError } from "../../core/errors.ts";
import { openStates } from "../../core/records.ts";
import { putOnRecord } from "../administer.ts";
import type { Active } from "../gateway.ts";
import type { Store } from "../ports.ts";
import { decided } from "./limits.ts";
import { channelBack } from "./pass.ts";
import { registerOf, stateOf, type Choice, type Stopped } from "./state.ts";

/** Throws `usage-wrong` when the channel is not stopped. */
export async function stoppedBy(store: Pick<Store, "registers">, channel: string): Promise<Stopped> {
  const { stopped } = stateOf(await store.registers.get(registerOf(channel)));
  if (stopped) return stopped;
  throw new SluiceError("usage-wrong", `the brake of "${channel}" has not stopped it`, {
    hint: "see `npx sluice brake list`",
  });
}

export interface Deciding {
  readonly channel: string;
  readonly choice: Choice;
  readonly actor: string;
  readonly reason: string;
  readonly now: number;
}

/** What was decided about which kind. Throws `usage-wrong` when the channel is not stopped. */
export async function decide(
  store: Pick<Store, "registers" | "audit" | "ledger">,
  { channel, choice, actor, reason, now }: Deciding,
): Promise<BrakeKind> {
  const stopped = await stoppedBy(store, channel);
  // By the newest exchange that is there, so no two clocks are compared.
  const [newest] = await store.ledger.find({ channel, states: openStates, newestFirst: true, limit: 1 });
  const until = Math.max(newest?.acceptedAt ?? 0, stopped.since);
  await putOnRecord(store, { actor, action: `brake ${choice}`, group: stopped.kind, channel, reason });
  const name = registerOf(channel);
  for (;;) {
    const register = await store.registers.get(name);
    const state = stateOf(register);
    if (state.stopped?.since !== stopped.since || state.stopped.kind !== stopped.kind) {
      throw new SluiceError("usage-wrong", `somebody else has decided about "${channel}" meanwhile`, {
        hint: "see `npx sluice brake list`",
      });
    }
    const next = decided(state, stopped, choice, until, now);
    const moved = await store.registers.move(name, register?.version ?? 0, JSON.stringify(next), { announce: true });
    if (moved) return stopped.kind;
  }
}

/** Throws `usage-wrong` when there is no way back for what the channel carries: then nothing can be restored. */
export function needWayBack(active: Active, channel: Channel): void {
  const without = channel.resources.filter((one) => channelBack(active, channel, one.mapping) === undefined);
  if (without.length === 0) return;
  const types = without.map((one) => one.type).join(", ");
  throw new SluiceError("usage-wrong", `no live channel from ${channel.to} to ${channel.from} carries ${types}`, {
    hint: "discard instead, and restore the values at the source by hand or from its back-up",
  });
}
