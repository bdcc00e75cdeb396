import { existsSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { FaultUnsupportedError } from '../faults/fault.ts';
import type { Check } from '../faults/fault.ts';
import { isolate } from '../faults/partition.ts';
import type { FaultSpec, Scope } from '../faults/spec.ts';
import { startProcessCluster } from './processes.ts';
import { DIRECTORY_PREFIX, readRunFile } from './run-file.ts';
import type { ProcessCluster } from './processes.ts';
import { NodeStartError } from './port.ts';
import type { Death } from './port.ts';
import { poll } from './poll.ts';

const FAKE = fileURLToPath(new URL('./testing/fake-node.ts', import.meta.url));

/** A probe of a cut link is kept back as well; here it is the nodes' own traffic that counts. */
const UNPROBED = { probes: false };
const ofTheLab = ({ claim }: Check): boolean => claim.endsWith("of the lab's probes alone");

async function text(url: string): Promise<string> {
  return (await fetch(url)).text();
}

describe('the process cluster', () => {
  let cluster: ProcessCluster;
  const deaths: Death[] = [];
  beforeAll(async () => {
    cluster = await startProcessCluster({
      nodes: 3,
      runId: `test-${randomUUID()}`,
      main: FAKE,
      died: (death) => deaths.push(death),
    });
  });
  afterAll(() => cluster.close());

  const node = (index: number) => {
    const found = cluster.nodes[index];
    if (found === undefined) throw new RangeError(`no node ${index}`);
    return found;
  };

  const isolated = (scope: Scope): FaultSpec => ({
    kind: 'partition',
    grudges: isolate(
      cluster.nodes.map(({ name }) => name),
      'node1',
    ),
    scope,
    how: 'drop',
  });

  it('says whose it is before any node starts, so that heal leaves it alone', async () => {
    const runId = `test-${randomUUID()}`;
    const opening = startProcessCluster({ nodes: 1, runId, main: FAKE });
    expect(readRunFile(path.join(os.tmpdir(), DIRECTORY_PREFIX + runId))).toEqual({
      harness: process.pid,
      nodes: [],
    });
    await (await opening).close();
  });

  it('has nodes that answer, each in its own directory', async () => {
    expect(await text(`${node(0).url}/health`)).toContain('healthy');
    expect(await node(1).logs()).toContain(`fake node node2 in ${path.join(cluster.directory, 'node2')}`);
  });

  it('tells of a node that ends by itself, and of none that it ends itself', async () => {
    await node(1).kill();
    await node(1).start();
    await node(1).stop();
    await node(1).start();
    expect(deaths).toEqual([]);
    const { pid } = node(2);
    if (pid === null) throw new Error('node3 does not run');
    process.kill(pid, 'SIGABRT');
    await poll(async () => (deaths.length > 0 ? true : null), { everyMs: 20, budgetMs: 10_000 });
    expect(deaths).toEqual([{ node: 'node3', exitCode: null, said: expect.stringContaining('fake node') }]);
    await node(2).start();
  });

  it('tells of a node that crashes when it is asked to stop', async () => {
    deaths.length = 0;
    await text(`${node(2).url}/crash-at-stop`);
    await node(2).stop();
    expect(deaths).toEqual([{ node: 'node3', exitCode: null, said: expect.stringContaining('fake node') }]);
    await node(2).start();
  });

  it('leads a connection to a real libp2p port through the forwarder, so that a cut bites both ways and no others', async () => {
    const ports = await Promise.all(cluster.nodes.map(({ url }) => text(`${url}/p2p`)));
    const dial = (from: number, to: number) => text(`${node(from).url}/dial/${ports[to]}`);
    expect(await dial(0, 1)).toBe('node2');

    const cut = cluster.fault(isolated('p2p'));
    await cut.inject();
    expect(await Promise.all([dial(0, 1), dial(2, 0), dial(1, 2)])).toEqual(['', '', 'node3']);
    expect((await cut.evidence()).ok).toBe(true);
    expect((await cut.heal()).ok).toBe(true);
    expect(await Promise.all([dial(0, 1), dial(2, 0)])).toEqual(['node2', 'node1']);
  });

  it('cuts both lungs, and the proof is that both are silent', async () => {
    const target = new URL(node(1).url).port;
    const cut = cluster.fault(isolated('both'));
    await cut.inject();
    await text(`${node(0).url}/dial/${target}`);
    const evidence = await cut.evidence();
    expect(evidence.ok).toBe(true);
    expect(evidence.checks.filter(ofTheLab)).toEqual([]);
    expect(evidence.dropped).toBeGreaterThan(0);
    expect((await cut.heal()).ok).toBe(true);
  });

  it('proves a cut by what the lab itself dials where the nodes have nothing to say, and tells so', async () => {
    const cut = cluster.fault(isolated('both'));
    await cut.inject(UNPROBED);
    for (const evidence of [await cut.evidence(UNPROBED), await cut.evidence(UNPROBED)]) {
      expect(evidence.ok).toBe(true);
      expect(evidence.checks.filter(ofTheLab)).toHaveLength(1);
    }
    expect((await cut.heal(UNPROBED)).ok).toBe(true);
  });

  it.each([
    { kind: 'kill', nodes: ['node3'] },
    { kind: 'freeze', nodes: ['node3'], how: 'sigstop' },
  ] as const)('proves a $kind by what the ports say, and its end', async (spec) => {
    const fault = cluster.fault(spec);
    const before = Date.now();
    const { beganAt } = await fault.inject();
    expect(beganAt).toBeGreaterThanOrEqual(before);
    expect(await fault.evidence()).toMatchObject({ ok: true });
    expect(await fault.lift()).toBeGreaterThanOrEqual(beganAt);
    expect(await fault.heal()).toMatchObject({ ok: true });
    // An answering node is neither killed nor frozen.
    expect(await fault.evidence()).toMatchObject({ ok: false });
  });

  it.each(['sigterm', 'sigkill'] as const)('restarts by %s, on several nodes at once', async (how) => {
    const fault = cluster.fault({ kind: 'restart', nodes: ['node2', 'node3'], how });
    const pids = [node(1).pid, node(2).pid];
    expect(await fault.evidence()).toMatchObject({ ok: false });
    await fault.inject();
    expect(await fault.evidence()).toMatchObject({ ok: true });
    expect([node(1).pid, node(2).pid]).not.toEqual(pids);
    expect(await fault.heal()).toMatchObject({ ok: true });
  });

  it('says why it cannot do what it cannot do, and does not pretend', () => {
    const absent: FaultSpec = { kind: 'kill', nodes: ['node9'] };
    expect(cluster.supports(isolated('p2p'))).toBeNull();
    expect(cluster.supports(absent)).toContain('there is no node9');
    expect(cluster.supports({ kind: 'dns', nodes: ['node1'] })).toContain('by address');
    expect(() => cluster.fault(absent)).toThrow(FaultUnsupportedError);
  });

  it('prints a plan and changes nothing', async () => {
    const plan = cluster.fault(isolated('p2p')).plan();
    expect(plan).toContain('forwarder node1 → node2, p2p: neither side hears the other');
    expect(plan).toHaveLength(4);
    expect(await text(`${node(0).url}/dial/${await text(`${node(1).url}/p2p`)}`)).toBe('node2');
  });

  it('tells when a node was launched, when it answered and served, and what it has cost', async () => {
    const launchedBefore = Date.now();
    await node(1).stop();
    const report = await node(1).start();
    expect(report.launchedAt).toBeGreaterThanOrEqual(launchedBefore);
    expect(report.answersAt).toBeGreaterThanOrEqual(report.launchedAt);
    expect(report.servesAt).toBeGreaterThanOrEqual(report.answersAt);
    expect(await node(1).cpuMs()).toBeGreaterThan(0);
  });

  it('kills and starts again', async () => {
    const before = node(2).pid;
    await node(2).kill();
    expect(node(2).state).toBe('stopped');
    await expect(text(`${node(2).url}/health`)).rejects.toThrow('fetch failed');
    await node(2).start();
    expect(node(2).pid).not.toBe(before);
    expect(await text(`${node(2).url}/health`)).toContain('healthy');
  });

  it('stops by SIGTERM, also what is frozen', async () => {
    await node(1).freeze();
    expect(node(1).state).toBe('frozen');
    expect((await node(1).stop()).graceful).toBe(true);
    await node(1).start();
  });

  it('leaves no process and no directory', async () => {
    const pids = cluster.nodes.map(({ pid }) => pid);
    expect((await cluster.close()).leftovers).toEqual([]);
    for (const pid of pids) expect(() => process.kill(pid ?? 0, 0)).toThrow('ESRCH');
    expect(existsSync(cluster.directory)).toBe(false);
  });
});

describe('a process cluster whose nodes end at once', () => {
  it('says which, with the end of its log, and cleans up', async () => {
    const runId = `test-${randomUUID()}`;
    const attempt = startProcessCluster({
      nodes: 1,
      runId,
      main: path.resolve('chaos/cluster/testing/missing.ts'),
    });
    await expect(attempt).rejects.toThrow(NodeStartError);
    await expect(attempt).rejects.toMatchObject({
      node: 'node1',
      detail: expect.stringContaining('missing.ts'),
    });
    expect(existsSync(path.join(os.tmpdir(), DIRECTORY_PREFIX + runId))).toBe(false);
  });
});
