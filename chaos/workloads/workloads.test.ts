import type { Checker, Finding } from '../checkers/checker.ts';
import { conflictsSurfaced } from '../checkers/conflicts.ts';
import { conservation } from '../checkers/conservation.ts';
import { lostWrites } from '../checkers/lost-writes.ts';
import { monotonicReads } from '../checkers/monotonic-reads.ts';
import { startSimulatedCluster } from '../cluster/simulated.ts';
import { halves } from '../faults/partition.ts';
import { History } from '../history/history.ts';
import { HistoryLine } from '../history/line.ts';
import { seeded } from '../schedule/seeded.ts';
import { Bank } from './bank.ts';
import { Bulk } from './bulk.ts';
import { Recorder } from './recorder.ts';
import { Registers } from './registers.ts';
import { SharedKeys } from './shared-keys.ts';
import { UniqueFacts } from './unique-facts.ts';
import type { Workload, WorkloadModules } from './workload.ts';

/** Plays a workload for a while on three simulated nodes, cut into halves in the middle, and reads all in the end. */
async function played(
  make: (modules: WorkloadModules, history: History) => Workload,
): Promise<readonly HistoryLine[]> {
  const cluster = startSimulatedCluster({ nodes: 3, runId: 'test', seed: 4 });
  const { time } = cluster;
  const history = new History(null);
  history.goBy(time);
  const lines: HistoryLine[] = [];
  history.listen((line) => lines.push(HistoryLine.parse(line)));
  const members = cluster.nodes.map((node) => ({ node, client: cluster.clientOf(node) }));
  const names = members.map(({ node }) => node.name);
  const workload = make({ members, recorder: new Recorder(history), time, random: seeded(4) }, history);
  await time.wait(2_000);
  await workload.prepare();
  await time.wait(500);
  history.add({ type: 'mark', mark: 'steady', node: '' });
  workload.start();
  await time.wait(3_000);
  const fault = { kind: 'partition', grudges: halves(names), scope: 'both', how: 'drop' } as const;
  const cut = cluster.fault(fault);
  const phase = (now: 'begun' | 'complete' | 'lifted' | 'gone') =>
    history.add({ type: 'fault', id: 0, phase: now, spec: fault, nodes: [] });
  await cut.inject();
  phase('begun');
  phase('complete');
  await time.wait(5_000);
  await cut.lift();
  phase('lifted');
  phase('gone');
  await time.wait(3_000);
  await workload.pause();
  await time.wait(3_000);
  await workload.stop();
  for (const { node, client } of members) {
    for await (const { entries } of client.pages(null)) {
      const shown = [];
      for (const { key, value, version, conflict, siblings } of entries) {
        const id = await client.winnerOf(key);
        shown.push({
          key,
          value,
          version,
          id,
          conflict,
          siblings: siblings.map((one) => ({ version: one.version, value: one.value })),
        });
      }
      history.add({ type: 'entries', node: node.name, entries: shown });
    }
    history.add({ type: 'final', node: node.name, root: '', size: 0 });
  }
  await cluster.close();
  return lines;
}

function judged(checker: Checker, lines: readonly HistoryLine[]): Finding {
  const judge = checker.begin(['node1', 'node2', 'node3']);
  for (const line of lines) judge.take(line);
  return judge.verdict();
}

describe('a workload gives its checker enough to judge', () => {
  it('unique facts, looked for on every other node', async () => {
    const lines = await played(
      (modules, history) => new UniqueFacts(modules, history, { writeEveryMs: 200, readEveryMs: 20 }),
    );
    const { verdict, numbers } = judged(lostWrites, lines);
    expect(verdict).toBe('pass');
    expect(numbers?.['stale']).toBeGreaterThan(0);
    expect(numbers?.['converged_ms_p50']).toBeLessThan(100);
  });

  it('registers that count upwards', async () => {
    const lines = await played((modules) => new Registers(modules, { writeEveryMs: 300, readEveryMs: 100 }));
    expect(judged(monotonicReads, lines).verdict).toBe('pass');
  });

  it('a bank that nobody overdraws', async () => {
    const lines = await played((modules) => new Bank(modules, { everyMs: 200 }));
    expect(judged(conservation, lines).verdict).toBe('pass');
  });

  it('keys that two write at once, and one resolves', async () => {
    const lines = await played((modules) => new SharedKeys(modules, { everyMs: 200 }));
    const { verdict, detail } = judged(conflictsSurfaced, lines);
    expect(verdict).toBe('pass');
    expect(detail).toMatch(/^[1-9]\d* conflicts provably made and told, [1-9]\d* resolved/);
  });

  it('batches, all of them or none', async () => {
    const lines = await played((modules) => new Bulk(modules, { everyMs: 500, size: 20 }));
    const { verdict, numbers } = judged(lostWrites, lines);
    expect(verdict).toBe('pass');
    expect((numbers?.['acknowledged'] ?? 1) % 20).toBe(0);
  });
});
