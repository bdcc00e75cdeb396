/**
 * A run judged again, from its files alone: every checker on its history, its evidence, and the verdict that comes of them. What
 * does not come out as it was written is told, line by line.
 */
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Bench } from '../checkers/checker.ts';
import type { CheckResult } from '../checkers/checker.ts';
import { limits } from '../checkers/limits.ts';
import { staysUp } from '../checkers/stays-up.ts';
import { HistoryUnreadableError, readHistory } from '../history/read.ts';
import { Tally } from '../history/tally.ts';
import type { HistoryLine } from '../history/line.ts';
import type { Results } from '../reports/results.ts';
import { SCENARIOS } from '../scenarios/index.ts';
import { FILES, readEvidence, readResults, RunUnreadableError } from './run-directory.ts';
import { verdictOf } from './verdict.ts';

export interface Judgement {
  /** as they were written */
  readonly results: Results;
  readonly checks: readonly CheckResult[];
  /** what came out otherwise; empty: all as it was written */
  readonly differences: readonly string[];
}

/** Throws RunUnreadableError. */
export async function judgeAgain(directory: string): Promise<Judgement> {
  const results = readResults(directory);
  const { proofs } = readEvidence(directory);
  const { troubles, interrupted, cleanUp } = results;
  const { lines, checks: found, strikes } = await listen(directory, results);
  // A history that broke off was not checked.
  const checks = interrupted || troubles.length > 0 ? [] : found;
  const { verdict, reasons } = verdictOf({
    checks,
    proofs,
    troubles,
    leftovers: cleanUp.leftovers,
    strikes,
    interrupted,
  });
  return {
    results,
    checks,
    differences: [
      ...lines,
      ...differencesOfChecks(results.checks, checks),
      ...(verdict === results.verdict ? [] : [`the verdict is ${verdict}, not ${results.verdict}`]),
      ...(isDeepStrictEqual(reasons, results.reasons) ? [] : ['the reasons of the verdict are others']),
    ],
  };
}

/** One pass over the history: the checkers, and what results.json repeats of it. */
async function listen(
  directory: string,
  results: Results,
): Promise<{
  readonly lines: readonly string[];
  readonly checks: readonly CheckResult[];
  readonly strikes: number;
}> {
  const scenario = SCENARIOS.get(results.scenario);
  if (scenario === undefined) throw new RunUnreadableError(`this lab knows no scenario ${results.scenario}`);
  const bench = new Bench([...scenario.checkers, limits, staysUp], results.nodes);
  const tally = new Tally();
  const measured: Results['measurements'][number][] = [];
  let begun: Extract<HistoryLine, { type: 'run' }> | null = null;
  try {
    for await (const line of readHistory(path.join(directory, FILES.history))) {
      if (line.type === 'run') begun ??= line;
      if (line.type === 'measured') {
        const { what, from, ms, budgetMs, round } = line;
        measured.push({ what, from, ms, budgetMs, round });
      }
      tally.take(line);
      bench.take(line);
    }
  } catch (error) {
    if (error instanceof HistoryUnreadableError)
      throw new RunUnreadableError(`${FILES.history}: ${error.message}`);
    throw error;
  }
  const { runId, world, seed, nodes } = results;
  const said =
    begun === null ? null : { runId: begun.runId, world: begun.world, seed: begun.seed, nodes: begun.nodes };
  return {
    lines: [
      ...(said === null || isDeepStrictEqual(said, { runId, world, seed, nodes })
        ? []
        : ['the history is of another run']),
      ...(isDeepStrictEqual(tally.counts, results.writes) ? [] : ['the writes are not those of the history']),
      ...(isDeepStrictEqual(measured, results.measurements)
        ? []
        : ['the measured times are not those of the history']),
    ],
    checks: bench.verdicts(),
    strikes: tally.strikes,
  };
}

function differencesOfChecks(written: Results['checks'], found: readonly CheckResult[]): readonly string[] {
  const claims = [...new Set([...written, ...found].map(({ claim }) => claim))];
  return claims.flatMap((claim) => {
    const before = written.find((check) => check.claim === claim);
    const now = found.find((check) => check.claim === claim);
    if (before === undefined || now === undefined)
      return [
        `${claim}: ${before === undefined ? 'was not written down' : 'is not a claim of this scenario'}`,
      ];
    if (before.verdict !== now.verdict)
      return [`${claim}: ${now.verdict}, not ${before.verdict}: ${now.detail}`];
    return isDeepStrictEqual(plain(before), plain(now))
      ? []
      : [`${claim}: ${now.detail}, not: ${before.detail}`];
  });
}

/** As it would be read back: JSON knows no undefined. */
function plain(check: unknown): unknown {
  return JSON.parse(JSON.stringify(check));
}
