import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../runner/run.ts';
import { SCENARIOS } from '../scenarios/index.ts';
import { World, WORLD_DEFAULTS } from '../../sim/world.ts';
import { startSimulatedCluster } from './simulated.ts';
import { VirtualTime } from './simulated-time.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'aethel-simulated-'));
afterAll(() => rmSync(directory, { recursive: true }));

async function played(name: string, seed: number) {
  const scenario = SCENARIOS.get(name);
  if (scenario === undefined) throw new Error(`there is no ${name}`);
  const ended = await run({
    scenario,
    world: 'simulated',
    nodes: 5,
    rounds: 1,
    durationMs: null,
    seed,
    resultsIn: directory,
    signal: new AbortController().signal,
    progress: () => {},
  });
  const lines = readFileSync(path.join(ended.directory, 'history.jsonl'), 'utf8').split('\n');
  return { ...ended.results, lines: lines.slice(1) };
}

describe('a scenario in the simulated world', () => {
  it.each(['p2p-cut', 'halves', 'kill-all-but-one', 'restart-under-cut'])('passes: %s', async (name) => {
    const { verdict, reasons } = await played(name, 3);
    expect({ verdict, reasons }).toEqual({ verdict: 'pass', reasons: [] });
  });

  it('is the same to the last line with the same seed, and another with another', async () => {
    const first = await played('both-cut', 8);
    expect((await played('both-cut', 8)).lines).toEqual(first.lines);
    expect((await played('both-cut', 9)).lines).not.toEqual(first.lines);
  });

  it('proves nothing where the world cannot play it', async () => {
    expect((await played('disk-full', 3)).verdict).toBe('unsupported');
  });
});

describe('a simulated node', () => {
  it('gives no answer while it stands still or is down, and takes writes again afterwards', async () => {
    const cluster = startSimulatedCluster({ nodes: 2, runId: 'test', seed: 1 });
    const [node] = cluster.nodes;
    if (node === undefined) throw new Error('no node');
    const client = cluster.clientOf(node);
    expect(await client.put('k', 1)).toMatchObject({ outcome: 'ok' });
    await node.freeze();
    await expect(client.status()).rejects.toThrow('does not answer');
    expect((await client.put('k', 2)).outcome).toBe('info');
    await node.thaw();
    await node.kill();
    expect((await client.put('k', 3)).outcome).toBe('fail');
    await node.start();
    expect(await client.get('k')).toMatchObject({ success: true });
    expect(await client.put('k', 4, 'no such version')).toMatchObject({ outcome: 'fail' });
    await cluster.close();
  });
});

describe('virtual time', () => {
  it('tells whoever waits when the world has failed', async () => {
    const world = new World({ seed: 1, ...WORLD_DEFAULTS });
    const time = new VirtualTime(world);
    world.after(5, () => {
      throw new Error('broken');
    });
    const [waited, passed] = await Promise.allSettled([time.wait(1_000), time.pass()]);
    expect(waited).toMatchObject({ status: 'rejected', reason: { message: 'broken' } });
    expect(passed).toMatchObject({ status: 'fulfilled', value: { message: 'broken' } });
    await expect(time.wait(1)).rejects.toThrow('broken');
  });
});
