import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Checker } from '../checkers/checker.ts';
import { judged } from '../checkers/checker.ts';
import { isolate } from '../faults/partition.ts';
import { scheduled } from '../scenarios/scheduled.ts';
import type { Schedule } from '../schedule/schedule.ts';
import { shrinkRun } from './shrink.ts';

const NODES = ['node1', 'node2', 'node3'];
const HOLD_MS = 2_000;

/** Fails whenever node2 is struck by SIGKILL: what a run is to be shrunk to. */
const neverKilled: Checker = {
  name: 'never-killed',
  claim: 'node2 is never killed',
  begin: () => {
    let killed = 0;
    return {
      take: (line) => {
        if (line.type === 'fault' && line.phase === 'begun' && line.nodes.includes('node2')) killed += 1;
      },
      verdict: () =>
        judged(
          Array.from({ length: killed }, () => ({ text: 'killed', at: null, node: 'node2' })),
          '',
        ),
    };
  },
};

const place = mkdtempSync(path.join(os.tmpdir(), 'aethel-shrink-test-'));
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

it('a failed run becomes the one fault that fails it', async () => {
  const cut = { kind: 'partition', grudges: isolate(NODES, 'node1'), scope: 'p2p', how: 'drop' } as const;
  const scenario = scheduled({ name: 'three-steps', says: '', checkers: [neverKilled], steps: () => [] });
  const schedule: Schedule = {
    version: 1,
    seed: 1,
    nodes: NODES,
    workloads: { facts: { writeEveryMs: 250, readEveryMs: 40 } },
    statusEveryMs: 40,
    recoveryBudgetMs: null,
    steps: [
      { id: 0, at: 500, holdMs: HOLD_MS, do: 'fault', spec: cut },
      { id: 1, at: 4_000, holdMs: HOLD_MS, do: 'fault', spec: { kind: 'kill', nodes: ['node2'] } },
      { id: 2, at: 9_000, holdMs: HOLD_MS, do: 'fault', spec: { kind: 'kill', nodes: ['node3'] } },
    ],
  };
  const { schedule: smallest, runs } = await shrinkRun({
    scenario,
    schedule,
    failed: ['never-killed'],
    runsMax: 12,
    world: 'simulated',
    nodes: 3,
    rounds: 1,
    durationMs: null,
    seed: 1,
    resultsIn: place,
    signal: new AbortController().signal,
    progress: () => undefined,
  });
  expect(smallest.steps.map(({ id }) => id)).toEqual([1]);
  expect(smallest.steps[0]?.holdMs).toBeLessThan(HOLD_MS);
  expect(runs).toBeLessThanOrEqual(12);
}, 120_000);
