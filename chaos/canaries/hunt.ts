/**
 * The mutation score of the lab: for each canary the scenario that must catch it, on processes; before them the same
 * scenarios without sabotage, or a lab that fails everything would score best.
 */
import { fileURLToPath } from 'node:url';
import type { Verdict } from '../reports/results.ts';
import type { Run } from '../runner/leave.ts';
import { makeRunDirectory, newRunId, writeJson, FILES } from '../runner/run-directory.ts';
import { run } from '../runner/run.ts';
import { SCENARIOS } from '../scenarios/index.ts';
import { CANARY_VARIABLE } from './canaries.ts';
import type { Canary } from './canaries.ts';

export interface HuntOptions {
  readonly canaries: readonly Canary[];
  readonly nodes: number;
  readonly seed: number;
  readonly resultsIn: string;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
  readonly ended: (outcome: Outcome) => void;
}

export interface Outcome {
  /** null: no sabotage, the control */
  readonly canary: string | null;
  readonly scenario: string;
  /** a canary: caught by a checker that is named for it; the control: nothing is broken */
  readonly isRight: boolean;
  /** which checkers failed, by name */
  readonly failed: readonly string[];
  readonly verdict: Verdict;
  /** the first reason of the verdict, '' where it passed */
  readonly reason: string;
  readonly tookMs: number;
}

export interface Hunt {
  readonly outcomes: readonly Outcome[];
  readonly directory: string;
}

const MAIN = fileURLToPath(new URL('node.ts', import.meta.url));

export async function hunt(options: HuntOptions): Promise<Hunt> {
  const directory = makeRunDirectory(options.resultsIn, `canaries-${newRunId()}`);
  const scenarios = [...new Set(options.canaries.map(({ scenario }) => scenario))];
  const outcomes: Outcome[] = [];
  const take = (outcome: Outcome): void => {
    outcomes.push(outcome);
    options.ended(outcome);
    writeJson(directory, FILES.results, { outcomes });
  };
  for (const scenario of scenarios) {
    if (options.signal.aborted) break;
    options.progress(`without sabotage: ${scenario}`);
    const { results } = await play(options, directory, scenario, null);
    const outcome = told(results);
    // A machine too busy to judge a budget leaves it open; what matters here is that nothing is broken.
    const isSound =
      results.verdict === 'pass' || (results.verdict === 'inconclusive' && outcome.failed.length === 0);
    take({ ...outcome, canary: null, isRight: isSound });
  }
  for (const canary of options.canaries) {
    if (options.signal.aborted) break;
    options.progress(`${canary.name}: ${canary.scenario}`);
    const { results } = await play(options, directory, canary.scenario, canary);
    const outcome = told(results);
    const isCaught =
      results.verdict === 'fail' && outcome.failed.some((name) => canary.caughtBy.includes(name));
    take({ ...outcome, canary: canary.name, isRight: isCaught });
  }
  return { outcomes, directory };
}

async function play(
  { nodes, seed, signal, progress }: HuntOptions,
  resultsIn: string,
  name: string,
  canary: Canary | null,
): Promise<Run> {
  const scenario = SCENARIOS.get(name);
  if (scenario === undefined) throw new RangeError(`there is no scenario ${name}`);
  const what = canary === null ? name : canary.name;
  return run({
    scenario,
    world: 'processes',
    nodes,
    rounds: 1,
    durationMs: null,
    seed,
    resultsIn,
    signal,
    progress: (line) => progress(`${what}: ${line}`),
    ...(canary === null ? {} : { program: { main: MAIN, env: { [CANARY_VARIABLE]: canary.name } } }),
  });
}

function told({
  scenario,
  checks,
  verdict,
  reasons,
  tookMs,
}: Run['results']): Omit<Outcome, 'canary' | 'isRight'> {
  const failed = checks.filter((check) => check.verdict === 'fail').map(({ checker }) => checker);
  return { scenario, failed, verdict, reason: reasons[0] ?? '', tookMs };
}
