/**
 * How much at once, and with how much patience, as a table of what strains this node: how late its own timers are, and how long other
 * nodes took to answer of late. Calm, nothing is changed by it; twenty nodes on two processors, each of which dials all others and gives
 * every dial up before its answer comes, never meet.
 *
 *   lag, ms         ≤ 60     120     240     480     960 …
 *   links at once     16       8       4       2       1
 *   pauses           × 1     × 2     × 4     × 8    × 16     10 s at most
 *   patience          as configured, or eight times the lag, or twice the slowest answer; 15 s at most
 *   head start         0       2       4       8      15 s   20 s at most, of one of each pair (p2p/pairs.ts)
 *   strangers at once 16       1       0       0       0     once eight links stand: a graph of them is connected
 */
import type { Clock } from '../ports.ts';

export interface Strain {
  /** how late own timers were of late, ms */
  readonly lagMs: number;
  /** the slowest answer of late, ms */
  readonly answerMs: number;
}

export const CALM: Strain = { lagMs: 0, answerMs: 0 };

/** Later than that no timer is on a machine whose processors are merely all in use: 113 ms was the worst in a minute, and that decays. */
const CALM_LAG_MS = 60;
const PAUSE_MS_MAX = 10_000;
const PATIENCE_MS_MAX = 15_000;
const HEAD_START_MS_MAX = 20_000;
/** As many as a node has neighbours (ADR 15), which is all of them in a lattice of nine. */
const LINKS_ENOUGH = 8;

/** @param max as many as a calm node has */
export function atOnce(max: number, strain: Strain): number {
  return Math.max(1, Math.floor(max / stretch(strain)));
}

export function pauseMs(ms: number, strain: Strain): number {
  return Math.max(ms, Math.min(ms * stretch(strain), PAUSE_MS_MAX));
}

export function patienceMs(ms: number, { lagMs, answerMs }: Strain): number {
  return Math.max(ms, Math.min(Math.max(8 * lagMs, 2 * answerMs), PATIENCE_MS_MAX));
}

/** For so long one of a pair leaves it to the other to dial. */
export function headStartMs({ lagMs }: Strain): number {
  return lagMs <= CALM_LAG_MS ? 0 : Math.min(16 * lagMs, HEAD_START_MS_MAX);
}

/**
 * How many places where nobody was met yet are dialled at once. Eight links of each node, to others of its own lot, make a connected
 * graph, over which gossip reaches all: the rest can wait until the machine has time for them. Who was a link before is dialled as ever.
 *
 * @param links that stand
 */
export function strangersAtOnce(max: number, links: number, { lagMs }: Strain): number {
  if (links < LINKS_ENOUGH) return max;
  return lagMs <= 2 * CALM_LAG_MS ? 1 : 0;
}

function stretch({ lagMs }: Strain): number {
  return Math.max(1, lagMs / CALM_LAG_MS);
}

/**
 * Waits with patience, which may have grown when it is over: what has come may not have been read yet.
 *
 * @returns a function that cancels
 */
export function afterPatience(
  clock: Clock,
  ms: number,
  strain: () => Strain,
  tooLate: () => void,
): () => void {
  const startedAt = clock.monotonicMs();
  let cancel = (): void => undefined;
  const wait = (leftMs: number): void => {
    cancel = clock.after(leftMs, () => {
      const stillMs = startedAt + patienceMs(ms, strain()) - clock.monotonicMs();
      if (stillMs > 0) wait(stillMs);
      else tooLate();
    });
  };
  wait(patienceMs(ms, strain()));
  return () => cancel();
}

/** The slowest answers of late, forgotten by half every five seconds. */
export class SlowAnswers {
  #slowestMs = 0;
  #at = 0;

  saw(ms: number, now: number): void {
    if (ms <= this.ms(now)) return;
    this.#slowestMs = ms;
    this.#at = now;
  }

  ms(now: number): number {
    return this.#slowestMs * 2 ** ((this.#at - now) / 5_000);
  }
}
