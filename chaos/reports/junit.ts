/** Verdicts as JUnit XML, which every CI system shows: one suite per run, one case per claim, measurement and proof. */
import type { Proof, Results } from './results.ts';

export interface Judged {
  readonly results: Results;
  readonly proofs: readonly Proof[];
}

export function renderJunit(runs: readonly Judged[]): string {
  const suites = runs.map(suiteOf);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="aethel chaos"${totals(suites)}>`,
    ...suites.map(({ text }) => text),
    '</testsuites>',
    '',
  ].join('\n');
}

type Outcome = 'passed' | 'failure' | 'error' | 'skipped';

interface Case {
  readonly name: string;
  readonly outcome: Outcome;
  readonly text: string;
}

interface Suite {
  readonly text: string;
  readonly cases: readonly Case[];
  readonly seconds: number;
}

function suiteOf({ results, proofs }: Judged): Suite {
  const name = `${results.scenario} on ${results.world}`;
  const found = [...results.checks.map(caseOfCheck), ...proofs.flatMap(casesOfProof)];
  const cases = [...found, ...casesOfRun(results, found)];
  const seconds = results.tookMs / 1000;
  const text = [
    `  <testsuite name="${xml(name)}" timestamp="${xml(results.startedAt.slice(0, 19))}"${totals([{ cases, seconds }])}>`,
    '    <properties>',
    `      <property name="run" value="${xml(results.runId)}"/>`,
    `      <property name="seed" value="${results.seed}"/>`,
    `      <property name="verdict" value="${results.verdict}"/>`,
    ...results.measurements.map(
      ({ what, ms, round }) =>
        `      <property name="${xml(`${what}, round ${round}`)}" value="${ms === null ? 'never' : `${Math.round(ms)} ms`}"/>`,
    ),
    '    </properties>',
    ...cases.map((one) => renderCase(one, name)),
    '  </testsuite>',
  ].join('\n');
  return { text, cases, seconds };
}

function caseOfCheck({ claim, verdict, detail, violations }: Results['checks'][number]): Case {
  const text = [detail, ...violations.map((violation) => violation.text)].join('\n');
  const outcomes = { pass: 'passed', fail: 'failure', unknown: 'error' } as const;
  return { name: claim, outcome: outcomes[verdict], text };
}

function casesOfProof({ what, evidence }: Proof): readonly Case[] {
  return evidence.checks.map(({ claim, holds }) => ({
    name: `${what}: ${claim}`,
    outcome: holds ? 'passed' : 'error',
    text: holds ? `${evidence.dropped} dropped` : 'not so: the run proves nothing',
  }));
}

/** What belongs to no claim must not make a suite green, and no suite is greener than its verdict. */
function casesOfRun(results: Results, others: readonly Case[]): readonly Case[] {
  const cases = casesOfLab(results);
  const isGreen = [...others, ...cases].every(({ outcome }) => outcome === 'passed');
  return isGreen && results.verdict !== 'pass'
    ? [
        ...cases,
        { name: 'the verdict', outcome: 'error', text: [results.verdict, ...results.reasons].join('\n') },
      ]
    : cases;
}

function casesOfLab(results: Results): readonly Case[] {
  const texts = [...results.troubles, ...results.cleanUp.leftovers.map((what) => `left behind: ${what}`)];
  const troubles = texts.map((text): Case => ({
    name: 'the lab',
    outcome: text.startsWith('unsupported: ') ? 'skipped' : 'error',
    text,
  }));
  return results.interrupted
    ? [...troubles, { name: 'the run', outcome: 'skipped', text: 'interrupted' }]
    : troubles;
}

function renderCase({ name, outcome, text }: Case, suite: string): string {
  const open = `    <testcase classname="${xml(suite)}" name="${xml(name)}"`;
  if (outcome === 'passed') return `${open}><system-out>${xml(text)}</system-out></testcase>`;
  const [first = ''] = text.split('\n');
  return `${open}><${outcome} message="${xml(first)}">${xml(text)}</${outcome}></testcase>`;
}

function totals(suites: readonly Pick<Suite, 'cases' | 'seconds'>[]): string {
  const cases = suites.flatMap((suite) => suite.cases);
  const count = (outcome: Outcome): number => cases.filter((one) => one.outcome === outcome).length;
  const seconds = suites.reduce((all, suite) => all + suite.seconds, 0);
  return ` tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}" skipped="${count('skipped')}" time="${seconds.toFixed(3)}"`;
}

/** XML 1.0 knows no other control characters, not even escaped. */
const FORBIDDEN = /[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu;

function xml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(FORBIDDEN, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}
