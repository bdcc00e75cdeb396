/**
 * One poll of a member: held by it where that works, plain where a proxy between cuts off what waits (see `Holding`).
 * Whoever polls hears in time either way, and of a cut only when the member does not answer at all.
 *
 * A proxy that drops or changes `If-None-Match` makes of our question one that nobody signed, and it is refused. The member is then
 * asked without the condition, which no proxy minds, and for a while it stays so.
 */
import type { Clock } from '../../ports.ts';
import type { Answer, Call, MemberClient } from './member-client.ts';
import type { Site } from './sites.ts';

export interface AskStateModules {
  readonly client: MemberClient;
  readonly clock: Clock;
  /** polls of this site began or ceased to be plain */
  readonly onPlain: (isPlain: boolean) => void;
  /** conditions of questions do not arrive at this site */
  readonly onBare: () => void;
}

/** Until a condition is tried again; a try costs one question that is refused. A guess. */
const BARE_MS = 600_000;

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
  const { client, clock, onBare } = modules;
  const { plain, heldMs } = question;
  const bare = { ...plain, ifNoneMatch: '' };
  if (clock.monotonicMs() < site.bareUntil) {
    if (heldMs > 0) await pause(clock, site.holding.pauseMs(heldMs), plain.controller.signal);
    const answer = await client.call(site, bare);
    if (answer.kind === 'believed' && heldMs > 0)
      site.holding.answeredPlainly(!isOf(answer.body, plain), heldMs);
    return { answer, isHeld: false };
  }
  const asked = await askOnCondition(modules, site, question);
  if (asked.answer.kind !== 'unbelieved') return asked;
  const answer = await client.call(site, bare);
  if (answer.kind !== 'believed') return asked;
  site.bareUntil = clock.monotonicMs() + BARE_MS;
  onBare();
  return { answer, isHeld: false };
}

async function askOnCondition(
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

/** Whether the state is the one that we know already: its root is the tag of the question. */
function isOf(body: Uint8Array, { ifNoneMatch }: Call): boolean {
  return Buffer.from(body.buffer, body.byteOffset, body.length).includes(ifNoneMatch);
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
