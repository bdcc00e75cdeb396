/** Everything at random, from a seed: for as long as one likes, with many writes. */
import { conflictsSurfaced } from '../checkers/conflicts.ts';
import { conservation } from '../checkers/conservation.ts';
import { modeHonesty } from '../checkers/mode-honesty.ts';
import { drawStrikes } from '../schedule/draw.ts';
import { scheduled } from './scheduled.ts';

const DURATION_MS = 60_000;

export const random = scheduled({
  name: 'random',
  says: 'strikes at random, by the seed, for as long as --duration says, under every workload at once',
  /** 150 bulk entries and 25 single writes a second on five nodes: 200,000 in twenty minutes */
  clients: {
    facts: { writeEveryMs: 500, readEveryMs: 100 },
    registers: { writeEveryMs: 1_000, readEveryMs: 500 },
    bank: { everyMs: 5_000 },
    shared: { everyMs: 1_000 },
    bulk: { everyMs: 1_000, size: 30 },
  },
  statusEveryMs: 100,
  checkers: [modeHonesty, conservation, conflictsSurfaced],
  steps: (cast) => drawStrikes(cast, cast.durationMs ?? DURATION_MS),
});
