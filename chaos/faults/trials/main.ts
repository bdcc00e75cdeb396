/**
 * `npm run test:faults`: does every fault bite, and does it heal? Each kind is injected into a small cluster that is being
 * written to, in both worlds; what counts is its own evidence, within a limit. Prints one line per trial and a verdict.
 *
 * Exit codes: see HELP.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { openCluster } from '../../cluster/open.ts';
import { NodeStartError, WorldUnavailableError } from '../../cluster/port.ts';
import type { World } from '../../cluster/port.ts';
import { listenForInterrupts } from '../../demo/interrupt.ts';
import { endProcess } from '../../end-process.ts';
import { Bench } from './bench.ts';
import type { Outcome } from './bench.ts';
import { preparationFor } from '../support.ts';
import { tryLabDeath } from './lab-death.ts';
import { makeNextImage } from './next-image.ts';
import { trialsFor } from './trials.ts';

const NODES = 3;
const WORLDS: readonly World[] = ['processes', 'containers'];

const UNDER_CUT = 'restart by somebody, under a cut';
const DEATHS = [
  ['lab killed', 'guardian'],
  ['lab and guardian killed', 'lease'],
] as const;

const HELP = `Usage: npm run test:faults -- [options]

  --cluster containers|processes   one world only
  --only TEXT                      trials whose name contains it
  --why                            all evidence, not only what does not hold
  --help

Exit: 0 everything that is supported here bites and heals, 1 something does not, 3 a bad argument, or a world that cannot be opened.`;

const interrupt = listenForInterrupts();
const values = readArguments();
if (values.help === true) {
  console.log(HELP);
  process.exit(0);
}
const worlds = WORLDS.filter((world) => values.cluster === undefined || values.cluster === world);
if (worlds.length === 0) refuse(`--cluster is containers or processes, not ${values.cluster}`);

const outcomes: Outcome[] = [];
const troubles: string[] = [];
for (const world of worlds) await tryAll(world);

const count = (state: Outcome['state']): number =>
  outcomes.filter((outcome) => outcome.state === state).length;
const summary = `${count('proven')} bite and heal, ${count('failed')} do not, ${count('unsupported')} unsupported here`;
if (interrupt.signal.aborted) {
  console.log(`verdict: INTERRUPTED, ${summary}`);
  endProcess(interrupt.exitCode());
} else if (troubles.length > 0) {
  console.log(`verdict: ERROR, ${summary}; ${troubles.join('; ')}`);
  endProcess(3);
} else {
  const passes = count('failed') === 0 && count('proven') > 0;
  console.log(`verdict: ${passes ? 'PASS' : 'FAIL'}, ${summary}`);
  endProcess(passes ? 0 : 1);
}

function isWanted(name: string): boolean {
  return name.includes(values.only ?? '');
}

async function tryAll(world: World): Promise<void> {
  const names = Array.from({ length: NODES }, (_, i) => `node${i + 1}`);
  const trials = trialsFor(names).filter(({ name }) => isWanted(name));
  const upgrade = world === 'containers' && trials.some(({ spec }) => spec.kind === 'upgrade');
  const dropNext = upgrade ? await makeNextImage() : async (): Promise<void> => undefined;
  try {
    const cluster = await openCluster(world, {
      nodes: NODES,
      runId: `faults-${process.pid}-${randomInt(0x1_0000).toString(16)}`,
      prepare: preparationFor(trials.map(({ spec }) => spec)),
      signal: interrupt.signal,
      progress: (line) => console.log(`${world}: ${line}`),
    });
    const bench = new Bench(cluster, interrupt.signal);
    try {
      for (const trial of trials) {
        if (interrupt.signal.aborted) break;
        tell(world, trial.name, await bench.try(trial));
      }
      if (isWanted(UNDER_CUT)) tell(world, UNDER_CUT, await bench.tryRestartUnderCut());
    } finally {
      await bench.close();
      const { leftovers } = await cluster.close();
      troubles.push(...leftovers.map((leftover) => `left behind: ${leftover}`));
    }
    for (const [name, saviour] of DEATHS) {
      if (interrupt.signal.aborted) break;
      // Processes have no rules in the kernel; without a guardian their freeze is for `heal`.
      if (isWanted(name)) tell(world, name, await tryLabDeath(world, saviour));
    }
  } catch (error) {
    if (interrupt.signal.aborted) return;
    if (!(error instanceof WorldUnavailableError || error instanceof NodeStartError)) throw error;
    troubles.push(`${world}: ${error.message}`);
  } finally {
    await dropNext();
  }
}

function tell(world: World, name: string, outcome: Outcome): void {
  outcomes.push(outcome);
  const head = `${name.padEnd(32)} ${world.padEnd(11)}`;
  if (outcome.state === 'unsupported') {
    console.log(`${head} unsupported: ${outcome.reason}`);
    return;
  }
  const { bites, heals } = outcome;
  console.log(`${head} bites ${told(bites)}  heals ${told(heals)}  ${outcome.reason}`);
  for (const [when, phase] of [
    ['bites', bites],
    ['heals', heals],
  ] as const) {
    for (const { claim, holds } of phase.checks)
      if (values.why === true || !holds) console.log(`    ${when}  ${holds ? 'yes' : 'NO '}  ${claim}`);
  }
}

function told({ ok, tookMs }: Outcome['bites']): string {
  return `${ok ? 'yes' : 'NO '} ${(tookMs / 1000).toFixed(1).padStart(5)} s`;
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        cluster: { type: 'string' },
        only: { type: 'string' },
        why: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function refuse(why: string): never {
  console.error(`${why}; see --help`);
  process.exit(3);
}
