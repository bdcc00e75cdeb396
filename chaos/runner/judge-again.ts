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
  const begun: Extract<HistoryLine, { type: 'run' }>[] = [];
  try {
    for await (const line of readHistory(path.join(directory, FILES.history))) {
      if (line.type === 'run') begun.push(line);
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
  return {
    lines: [
      ...strangersAmong(begun, results),
      ...(isDeepStrictEqual(tally.counts, results.writes) ? [] : ['the writes are not those of the history']),
      ...(isDeepStrictEqual(measured, results.measurements)
        ? []
        : ['the measured times are not those of the history']),
    ],
    checks: bench.verdicts(),
    strikes: tally.strikes,
  };
}

/** A run that came to nothing may have ended before its first line. */
function strangersAmong(
  begun: readonly Extract<HistoryLine, { type: 'run' }>[],
  { runId, scenario, world, seed, nodes, checks }: Results,
): readonly string[] {
  const [first, ...more] = begun;
  if (more.length > 0) return [`the history is of ${begun.length} runs`];
  if (first === undefined) return checks.length > 0 ? ['the history does not say of which run it is'] : [];
  const { type: _type, at: _at, version: _version, ...said } = first;
  return isDeepStrictEqual(said, { runId, scenario, world, seed, nodes })
    ? []
    : ['the history is of another run'];
}

function differencesOfChecks(written: Results['checks'], found: readonly CheckResult[]): readonly string[] {
  const claims = [...new Set([...written, ...found].map(({ claim }) => claim))];
  return claims.flatMap((claim) => {
    if (written.filter((check) => check.claim === claim).length > 1) return [`${claim}: is claimed twice`];
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
