/** The verdict as a table for a terminal or a CI log; the same facts lie in results.json. */
import type { Hunt, Outcome } from '../canaries/hunt.ts';
import type { Verified } from '../pack/verify.ts';
import type { Gate } from '../runner/gate.ts';
import type { Run } from '../runner/leave.ts';
import type { Results } from './results.ts';

export function renderResult({ results: result, proofs, directory }: Run): string {
  const lines = [
    '',
    `${result.scenario} on ${result.nodes.length} ${result.world}, ${result.rounds} round${result.rounds === 1 ? '' : 's'}, seed ${result.seed}, run ${result.runId}`,
    `writes: ${result.writes.ok} acknowledged, ${result.writes.fail} refused, ${result.writes.info} unknown`,
    '',
    ...table(
      ['measured', 'took', 'budget', ''],
      result.measurements.map((measurement) => [
        result.rounds === 1 ? measurement.what : `${measurement.round}. ${measurement.what}`,
        milliseconds(measurement.ms),
        measurement.budgetMs === null ? '' : `≤ ${milliseconds(measurement.budgetMs)}`,
        withinBudget(measurement),
      ]),
    ),
    ...table(
      ['checked', '', 'seen'],
      result.checks.map((check) => [check.claim, check.verdict, check.detail]),
    ),
    ...table(
      ['evidence', '', ''],
      proofs.flatMap(({ what, evidence }) => [
        ...evidence.checks.map((check) => [what, check.holds ? 'yes' : 'NO', check.claim]),
        ...(evidence.dropped > 0
          ? [[what, '', `${evidence.dropped} packets or chunks, ${evidence.droppedBytes} bytes dropped`]]
          : []),
      ]),
    ),
    result.cleanUp.leftovers.length === 0
      ? `clean-up: ${result.cleanUp.removed} removed, nothing left`
      : `clean-up: LEFT BEHIND ${result.cleanUp.leftovers.join(', ')}`,
    `report: ${directory}`,
    `verdict: ${result.verdict.toUpperCase()}`,
    ...result.reasons.map((reason) => `  ${reason}`),
  ];
  return `${lines.join('\n')}\n`;
}

function withinBudget({ ms, budgetMs }: Results['measurements'][number]): string {
  if (budgetMs === null) return '';
  return ms !== null && ms <= budgetMs ? 'met' : 'over';
}

function milliseconds(ms: number | null): string {
  return ms === null ? 'never' : `${Math.round(ms)} ms`;
}

/** Columns as wide as their longest cell, the last one left free; nothing at all where there are no rows. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  if (rows.length === 0) return [];
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const text = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [...text, ''];
}

/** The gate's runs as one table, and the verdict of all. */
export function renderGate({ results, directory }: Gate): string {
  const lines = [
    '',
    ...table(
      ['scenario', 'verdict', 'took', 'acknowledged', 'why not'],
      results.runs.map((run) => [
        run.scenario,
        run.verdict.toUpperCase(),
        `${(run.tookMs / 1000).toFixed(1)} s`,
        String(run.acknowledged),
        (run.reasons[0] ?? '').split('\n')[0] ?? '',
      ]),
    ),
    `${count(results, 'pass')} of ${results.runs.length} scenarios passed on ${results.nodes} ${results.world}, ${count(results, 'unsupported')} not supported here, seed ${results.seed}, ${Math.round(results.tookMs / 1000)} s`,
    `report: ${directory}`,
    `verdict: ${results.verdict.toUpperCase()}`,
  ];
  return `${lines.join('\n')}\n`;
}

function count({ runs }: Gate['results'], verdict: Results['verdict']): number {
  return runs.filter((run) => run.verdict === verdict).length;
}

/** @param isTrusted the reader has named the key */
export function renderVerified({ manifest, runs }: Verified, isTrusted: boolean): string {
  const { run, verdict, commit, dirty, packedAt, fingerprint, files } = manifest;
  const lines = [
    `${run}: seal, signature and the hashes of ${files.length} files are right`,
    `packed ${packedAt}, from ${commit ?? 'no commit'}${dirty ? ' with uncommitted changes' : ''}`,
    `signed by ${fingerprint}${isTrusted ? ', as trusted' : ': compare it with what you were told on another way, or use --trust'}`,
    '',
    ...table(
      ['judged again', 'verdict', 'claims', 'acknowledged'],
      runs.map(({ results, checks }) => [
        `${results.scenario} on ${results.nodes.length} ${results.world}`,
        results.verdict.toUpperCase(),
        `${checks.filter((check) => check.verdict === 'pass').length} of ${checks.length} hold`,
        String(results.writes.ok),
      ]),
    ),
    `VERIFIED: its verdict is ${verdict.toUpperCase()}, and came out the same`,
  ];
  return `${lines.join('\n')}\n`;
}

/** One line of the hunt for sabotaged nodes. */
export function renderOutcome({
  canary,
  scenario,
  isRight,
  failed,
  verdict,
  reason,
  tookMs,
}: Outcome): string {
  const seconds = `${(tookMs / 1000).toFixed(0)} s`;
  if (canary === null)
    return `${scenario} without sabotage: ${isRight ? 'passes' : `does not pass, ${verdict}: ${reason}`}, ${seconds}`;
  if (isRight) return `${canary}: caught by ${failed.join(', ')}, ${seconds}`;
  return `${canary}: SURVIVES ${scenario}, ${verdict}${reason === '' ? '' : `: ${reason}`}, ${seconds}`;
}

/** How many sabotaged nodes were caught, and by whom. */
export function renderHunt({ outcomes, directory }: Hunt): string {
  const canaries = outcomes.filter(({ canary }) => canary !== null);
  const caught = canaries.filter(({ isRight }) => isRight).length;
  const lines = [
    '',
    ...table(
      ['canary', 'scenario', '', 'failed'],
      outcomes.map(({ canary, scenario, isRight, failed, verdict }) => [
        canary ?? '(without sabotage)',
        scenario,
        canary === null ? verdict : isRight ? 'caught' : `SURVIVES (${verdict})`,
        failed.join(', '),
      ]),
    ),
    `report: ${directory}`,
    `mutation score: ${caught} of ${canaries.length} caught`,
  ];
  return `${lines.join('\n')}\n`;
}
