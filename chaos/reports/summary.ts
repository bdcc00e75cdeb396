/** The gate in Markdown, for the summary page that a CI job may write ($GITHUB_STEP_SUMMARY). */
import type { GateResults, Verdict } from './results.ts';

const SIGNS: Readonly<Record<Verdict, string>> = {
  pass: '✅',
  fail: '❌',
  inconclusive: '⚠️',
  unsupported: '➖',
  error: '⚠️',
  interrupted: '⚠️',
};

export function renderSummary(gate: GateResults): string {
  const { verdict, nodes, world, seed, tookMs, runs, environment } = gate;
  return [
    `## ${SIGNS[verdict]} ${verdict.toUpperCase()}: ${nodes} ${world}, seed ${seed}`,
    '',
    '| scenario | verdict | acknowledged | took | why not |',
    '|---|---|---:|---:|---|',
    ...runs.map(
      (run) =>
        `| ${plain(run.scenario)} | ${SIGNS[run.verdict]} ${run.verdict} | ${run.acknowledged} | ${(run.tookMs / 1000).toFixed(1)} s | ${run.reasons.slice(0, 3).map(plain).join('<br>')} |`,
    ),
    '',
    `${Math.round(tookMs / 1000)} s on ${plain(environment.cpu)}, ${plain(environment.kernel)}. Repeat: \`npm run chaos -- --cluster ${world} --seed ${seed}\``,
    '',
  ].join('\n');
}

/** Text that neither ends its cell nor becomes markup. */
function plain(text: string): string {
  return text
    .replaceAll(/\p{Cc}+/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[\\`*_[\]|~]/g, (character) => `&#${character.codePointAt(0)};`)
    .slice(0, 400);
}
