/** What a sceptical reader broke, each in its smallest world. docs/FINDINGS.md has the list. */
import type { WriteOutcome } from '../node/protocol/border.ts';
import type { Host } from './host.ts';
import { allIn, haveEqualRoots, startHosts } from './cluster.ts';
import { World, WORLD_DEFAULTS } from './world.ts';

const HOUR_MS = 3_600_000;

describe('a member that refuses a record for its stamp', () => {
  it('does not count as one that has it', () => {
    const { world, hosts } = steady(3);
    const ahead = at(hosts, 2);
    ahead.clockOffsetMs = HOUR_MS;
    let outcome: WriteOutcome | null = null;
    ahead.write([{ key: 'k', value: '1' }], (answer) => (outcome = answer), { need: 'all', timeoutMs: 500 });
    world.runTo(world.now + 1_000);
    expect(outcome).toMatchObject({ ok: false });
    expect(valuesOf(hosts, 'k').slice(0, 2)).toEqual([null, null]);
  });

  it('loses nothing: what the refused record would have replaced stays', () => {
    const { world, hosts } = steady(2);
    const ahead = at(hosts, 1);
    ahead.write([{ key: 'k', value: '"good"' }], () => {});
    settle(world, hosts);
    ahead.clockOffsetMs = HOUR_MS;
    ahead.write([{ key: 'k', value: '"of the future"' }], () => {});
    world.runTo(world.now + 120_000);
    ahead.kill();
    world.runTo(world.now + 60_000);
    expect(at(hosts, 0).core.replica.get('k')?.winner.value).toBe('"good"');
  });
});

describe('a clock that was ahead', () => {
  it('is forgotten with its stamps, also when the node is restarted after it was put right', () => {
    const { world, hosts } = steady(3);
    const ahead = at(hosts, 2);
    ahead.clockOffsetMs = HOUR_MS;
    ahead.write([{ key: 'slipped', value: '1' }], () => {});
    world.runTo(world.now + 5_000);
    ahead.kill();
    ahead.clockOffsetMs = 0;
    ahead.start();
    world.runUntil(() => allIn(hosts, 'P2P'), world.now + 5_000);
    world.runTo(world.now + 2_000);
    ahead.write([{ key: 'after', value: '1' }], () => {});
    settle(world, hosts);
    expect(valuesOf(hosts, 'after')).toEqual(['1', '1', '1']);
  });

  it('leaves one cluster behind, although some had taken its stamps', () => {
    const { world, hosts } = steady(3);
    at(hosts, 0).clockOffsetMs = 30_000;
    at(hosts, 1).clockOffsetMs = 30_000;
    const ahead = at(hosts, 2);
    ahead.clockOffsetMs = 85_000;
    world.runTo(world.now + 2_000);
    ahead.write([{ key: 'k', value: '1' }], () => {});
    world.runTo(world.now + 5_000);
    for (const host of hosts) host.clockOffsetMs = 0;
    world.runTo(world.now + 180_000);
    expect(haveEqualRoots(hosts)).toBe(true);
    expect(new Set(valuesOf(hosts, 'k')).size).toBe(1);
  });
});

describe.each([
  ['five minutes', 300_000],
  ['a day', 24 * HOUR_MS],
])('clocks that were all %s ahead, and were corrected', (_lead, leadMs) => {
  it.each([
    ['while both run', []],
    ['before the first is restarted', [0]],
    ['before the second is restarted, then the first', [1, 0]],
  ])('keep nobody from writing, %s, and the new values win', (_order, restarted) => {
    const { world, hosts } = steady(2);
    for (const host of hosts) host.clockOffsetMs = leadMs;
    write(hosts, 0, 'a', '"old"');
    write(hosts, 1, 'b', '"old"');
    settle(world, hosts);
    for (const number of restarted) at(hosts, number).kill();
    for (const host of hosts) host.clockOffsetMs = 0;
    for (const number of restarted) {
      at(hosts, number).start();
      world.runTo(world.now + 1_000);
    }
    const outcomes = [
      write(hosts, 0, 'b', '"new"'),
      write(hosts, 1, 'a', '"new"'),
      write(hosts, 1, 'c', '"new"'),
      write(hosts, 0, 'd', '"new"'),
    ];
    world.runTo(world.now + 60_000);
    expect(outcomes.map((outcome) => outcome()?.ok)).toEqual([true, true, true, true]);
    for (const key of ['a', 'b', 'c', 'd']) {
      expect(valuesOf(hosts, key)).toEqual(['"new"', '"new"']);
      expect(hosts.map((host) => host.core.replica.get(key)?.siblings)).toEqual([[], []]);
    }
    for (const host of hosts) expect(toldOfStamps(host)).toBeLessThanOrEqual(1);
    expect(hosts.map(toldOfStamps)).toContain(1);
    expect(haveEqualRoots(hosts)).toBe(true);
  });

  it('keep a node that starts alone from writing for less than a minute', () => {
    const { world, hosts } = steady(2);
    for (const host of hosts) host.clockOffsetMs = leadMs;
    write(hosts, 0, 'a', '"old"');
    settle(world, hosts);
    for (const host of hosts) host.kill();
    at(hosts, 1).clockOffsetMs = 0;
    at(hosts, 1).start();
    const early = write(hosts, 1, 'a', '"new"');
    world.runTo(world.now + 40_000);
    expect(early()).toMatchObject({ ok: false, reason: 'clock', detail: expect.stringMatching(/stamps/) });
    const late = write(hosts, 1, 'a', '"new"');
    world.runTo(world.now + 1_000);
    expect(late()).toMatchObject({ ok: true });
    expect(at(hosts, 1).core.replica.get('a')).toMatchObject({ winner: { value: '"new"' }, siblings: [] });
  });

  it('leave nothing behind that a newcomer would refuse, and no value that wins against a newer one it had not seen', () => {
    const { world, hosts } = steady(3);
    for (const host of hosts) host.clockOffsetMs = leadMs;
    for (const key of ['a', 'b']) write(hosts, 0, key, '"old"');
    settle(world, hosts);
    for (const host of hosts) host.clockOffsetMs = 0;
    world.runTo(world.now + 1_000);
    // The third one writes what the author, who writes its records anew, does not see.
    world.rule = (from, to) => (from === 2 || to === 2 ? 'drop' : 'pass');
    const outcome = write(hosts, 2, 'a', '"new"');
    world.runTo(world.now + 60_000);
    expect(outcome()).toMatchObject({ ok: true });
    world.rule = () => 'pass';
    world.runTo(world.now + 60_000);
    expect(valuesOf(hosts, 'a')).toEqual(['"new"', '"new"', '"new"']);
    expect(valuesOf(hosts, 'b')).toEqual(['"old"', '"old"', '"old"']);
    for (const host of hosts) {
      for (const { stamp } of host.disk.platter.records.values())
        expect(stamp.wallMs).toBeLessThanOrEqual(host.wallMs());
    }
    expect(haveEqualRoots(hosts)).toBe(true);
  });
});

describe('a member that was silent for longer than it is remembered', () => {
  it('is served over HTTP again as soon as it is there, and P2P may be cut afterwards', () => {
    const { world, hosts } = steady(3);
    const away = 2;
    world.rule = (from, to) => (from === away || to === away ? 'drop' : 'pass');
    world.runTo(world.now + 700_000);
    world.rule = (from, to, lung) => (lung === 'p2p' && (from === away || to === away) ? 'drop' : 'pass');
    expect(world.runUntil(() => at(hosts, away).core.mode().mode === 'HTTP', world.now + 5_000)).toBe(true);
    at(hosts, 0).write([{ key: 'k', value: '1' }], () => {});
    settle(world, hosts);
    expect(valuesOf(hosts, 'k')).toEqual(['1', '1', '1']);
  });

  it('still counts for a majority, also after a restart of those who are left', () => {
    const { world, hosts } = steady(3);
    at(hosts, 0).write([{ key: 'k', value: '1' }], () => {});
    settle(world, hosts);
    const alone = at(hosts, 0);
    alone.kill();
    world.rule = () => 'drop';
    alone.start();
    let outcome: WriteOutcome | null = null;
    alone.write([{ key: 'l', value: '1' }], (answer) => (outcome = answer), {
      need: 'majority',
      timeoutMs: 200,
    });
    world.runTo(world.now + 300);
    expect(outcome).toMatchObject({ ok: false, need: 2 });
  });
});

describe('two of three nodes restored from old backups', () => {
  it('do not keep a value that was deleted and collected', () => {
    const { world, hosts } = steady(3);
    at(hosts, 0).write([{ key: 'k', value: '"old"' }], () => {});
    settle(world, hosts);
    const backups = [1, 2].map((n) => at(hosts, n).backup());
    at(hosts, 0).write([{ key: 'k', value: null }], () => {});
    settle(world, hosts);
    world.runTo(world.now + 20_000);
    for (const n of [1, 2]) {
      const host = at(hosts, n);
      const backup = backups[n - 1];
      host.kill();
      if (backup !== undefined) host.restore(backup);
      host.start();
    }
    world.runTo(world.now + 180_000);
    expect(haveEqualRoots(hosts)).toBe(true);
    expect(valuesOf(hosts, 'k')).toEqual([null, null, null]);
  });
});

function steady(nodes: number): { readonly world: World; readonly hosts: readonly Host[] } {
  const world = new World({ ...WORLD_DEFAULTS, seed: 23 });
  const hosts = startHosts(world, 23, nodes);
  world.runTo(3_000);
  return { world, hosts };
}

function write(hosts: readonly Host[], number: number, key: string, value: string) {
  let outcome: WriteOutcome | null = null;
  at(hosts, number).write([{ key, value }], (answer) => (outcome = answer));
  return (): WriteOutcome | null => outcome;
}

/** how often its operator was */
function toldOfStamps({ events }: Host): number {
  return events.filter(({ event }) => event.type === 'stamps').length;
}

function settle(world: World, hosts: readonly Host[]): void {
  world.runTo(world.now + 50);
  expect(world.runUntil(() => haveEqualRoots(hosts), world.now + 10_000)).toBe(true);
  world.runTo(world.now + 1_000);
}

function valuesOf(hosts: readonly Host[], key: string): readonly (string | null)[] {
  return hosts.map((host) => host.core.replica.get(key)?.winner.value ?? null);
}

function at(hosts: readonly Host[], number: number): Host {
  const host = hosts[number];
  if (host === undefined) throw new RangeError(`no host ${number}`);
  return host;
}
