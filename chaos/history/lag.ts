/**
 * How busy the machine was, second by second, as evidence: how much too late the lab's own timers came, and how long
 * something waited for a processor. A time measured while the lab itself was held up says little about the nodes.
 */
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { History } from './history.ts';

const EVERY_MS = 1_000;
/** The timer that measures looks so often; what it always sees is taken off. */
const RESOLUTION_MS = 10;
/** Linux tells how long some process waited for a processor, in µs since the start of the machine. */
const PRESSURE_FILE = '/proc/pressure/cpu';

/** @returns what ends it */
export function watchLag(history: History): () => void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  let stalledUs = stalledSoFar();
  const timer = setInterval(() => {
    const now = stalledSoFar();
    const loopMs = Math.max(0, delays.max / 1e6 - RESOLUTION_MS);
    const stalledMs = now === null || stalledUs === null ? null : (now - stalledUs) / 1e3;
    history.add({ type: 'lag', loopMs: Math.round(loopMs), stalledMs: stalledMs && Math.round(stalledMs) });
    delays.reset();
    stalledUs = now;
  }, EVERY_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    delays.disable();
  };
}

function stalledSoFar(): number | null {
  try {
    const total = /^some .*total=(\d+)/.exec(readFileSync(PRESSURE_FILE, 'utf8'))?.[1];
    return total === undefined ? null : Number(total);
  } catch {
    return null;
  }
}
