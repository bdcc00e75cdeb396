/**
 * One poll of a member: held by it where that works, plain where a proxy between cuts off what waits (see `Holding`).
 * Whoever polls hears in time either way, and of a cut only when the member does not answer at all.
 */
import type { Clock } from '../../ports.ts';
import type { Answer, Call, MemberClient } from './member-client.ts';
import type { Site } from './sites.ts';

export interface AskStateModules {
  readonly client: MemberClient;
  readonly clock: Clock;
  /** polls of this site began or ceased to be plain */
  readonly onPlain: (isPlain: boolean) => void;
}

export interface StateQuestion {
  /** the question as it is put when nothing is to be held */
  readonly plain: Call;
  /** ms that the answer may be held until the root changes; 0: not at all */
  readonly heldMs: number;
}

export interface StateAnswer {
  readonly answer: Answer;
  /** it may have been waiting there: the round trip says nothing */
  readonly isHeld: boolean;
}

/** Never rejects. */
export async function askState(
  modules: AskStateModules,
  site: Site,
  question: StateQuestion,
): Promise<StateAnswer> {
  const { client, clock, onPlain } = modules;
  const { plain, heldMs } = question;
  const { holding } = site;
  if (heldMs > 0 && holding.isAllowed(clock.monotonicMs())) {
    const answer = await client.call(site, heldOf(question));
    if (answer.kind !== 'failed' || !answer.isCut) {
      if (answer.kind === 'believed' && holding.carried()) onPlain(false);
      return { answer, isHeld: true };
    }
    const again = await client.call(site, plain);
    if (again.kind === 'believed' && holding.cut(clock.monotonicMs())) onPlain(true);
    return { answer: again, isHeld: false };
  }
  if (heldMs > 0) await pause(clock, holding.pauseMs(heldMs), plain.controller.signal);
  const answer = await client.call(site, plain);
  if (answer.kind === 'believed' && heldMs > 0) holding.answeredPlainly(answer.status === 200, heldMs);
  return { answer, isHeld: false };
}

function heldOf({ plain, heldMs }: StateQuestion): Call {
  const target = `${plain.target}?wait=${heldMs / 1000}`;
  return { ...plain, target, heldMs, timeoutMs: heldMs + plain.timeoutMs };
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal.addEventListener('abort', end, { once: true });
  });
}
