/** A small finished run, one of everything, for the tests of the reports. */
import type { Proof, Results } from '../results.ts';
import type { Timeline } from '../timeline.ts';

export function sampleResults(): Results {
  return {
    version: 1,
    runId: '20260101-120000-abcd',
    scenario: 'p2p-cut',
    says: 'drops the libp2p port of one node',
    world: 'processes',
    nodes: ['node1', 'node2', 'node3'],
    rounds: 1,
    seed: 7,
    startedAt: '2026-01-01T12:00:00.000Z',
    tookMs: 15_000,
    verdict: 'fail',
    reasons: ['no acknowledged write is lost: 1 against it; 40 acknowledged'],
    writes: { ok: 40, fail: 1, info: 2 },
    measurements: [
      { what: 'P2P dropped → sync_mode HTTP', from: 5_000, ms: 989, budgetMs: 1_500, round: 1 },
      { what: 'lifted → back to P2P', from: 9_000, ms: null, budgetMs: 2_000, round: 1 },
      { what: 'first write carried by HTTP, inward', from: 5_000, ms: 380.2, budgetMs: null, round: 1 },
    ],
    checks: [
      {
        checker: 'lost-writes',
        claim: 'no acknowledged write is lost',
        verdict: 'fail',
        detail: '1 against it; 40 acknowledged',
        violations: [
          { text: 'fact/node1/00000001 was acknowledged and is not on node2', at: 12_000, node: 'node2' },
        ],
      },
      {
        checker: 'mode-honesty',
        claim: 'sync_mode says what carries data',
        verdict: 'pass',
        detail: '12 changes',
        violations: [],
      },
      {
        checker: 'convergence',
        claim: 'a claim that nobody has translated',
        verdict: 'unknown',
        detail: 'nothing was healed',
        violations: [],
      },
    ],
    troubles: [],
    interrupted: false,
    cleanUp: { leftovers: [], removed: 3 },
    environment: {
      commit: '0123456789abcdef0123456789abcdef01234567',
      dirty: false,
      node: 'v24.0.0',
      platform: 'linux x64',
      kernel: 'Linux 6.1',
      cpu: 'a processor',
      cores: 2,
      memoryBytes: 8 * 2 ** 30,
      engine: null,
      images: [],
    },
  };
}

export function sampleProofs(): readonly Proof[] {
  return [
    {
      what: 'round 1: the cut bites',
      at: 5_000,
      evidence: {
        ok: false,
        checks: [
          { claim: 'traffic was kept back', holds: true },
          { claim: 'no other link is touched', holds: false },
        ],
        dropped: 12,
        droppedBytes: 3_400,
      },
    },
  ];
}

export function sampleTimeline(): Timeline {
  const root = (digits: string): string => digits.padEnd(16, '0');
  return {
    from: 0,
    to: 15_000,
    lanes: ['node1', 'node2', 'node3'].map((node) => ({
      node,
      modes:
        node === 'node2'
          ? [
              { at: 0, value: 'P2P' },
              { at: 5_500, value: 'HTTP' },
              { at: 11_000, value: 'P2P' },
            ]
          : [{ at: 0, value: 'P2P' }],
      roots: [
        { at: 0, value: root('1a2b3c') },
        { at: 7_000, value: root(node === 'node2' ? '778899' : '4d5e6f') },
        { at: 12_000, value: root('abcdef') },
      ],
    })),
    bands: [{ from: 5_000, to: 10_000, label: 'P2P cut', nodes: ['node2'] }],
    marks: [{ at: 4_000, label: 'steady', node: '' }],
    writes: [
      { key: 'fact/node1/00000001', node: 'node1', ackedAt: 2_000, tookMs: null },
      { key: 'fact/node1/00000002', node: 'node1', ackedAt: 3_000, tookMs: 12 },
      { key: 'fact/node2/00000003', node: 'node2', ackedAt: 6_000, tookMs: 1_400 },
    ],
  };
}
