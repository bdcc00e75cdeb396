/** Deletes, backups, double signatures and bad clocks, among several nodes. */
import { decodeRecord, signRecord } from '../node/protocol/state/record.ts';
import type { WriteOutcome } from '../node/protocol/border.ts';
import type { LatticeEvent } from '../node/protocol/events.ts';
import type { Host } from './host.ts';
import { below } from './rng.ts';
import { allIn, haveEqualRoots, startHosts } from './cluster.ts';
import { World, WORLD_DEFAULTS } from './world.ts';

const COLLECTED_WITHIN_MS = 20_000;

describe('tombstones', () => {
  it('go once every member has them, and the roots stay equal', () => {
    const { world, hosts } = steady(4);
    for (let i = 0; i < 30; i += 1) write(hosts[i % 4], `k${i}`, '1');
    converge(world, hosts);
    const before = at(hosts, 0).core.replica.recordCount();
    for (let i = 0; i < 30; i += 1) write(hosts[(i + 1) % 4], `k${i}`, null);
    converge(world, hosts);
    expect(at(hosts, 0).core.replica.tombstoneCount).toBe(30);
    world.runTo(world.now + COLLECTED_WITHIN_MS);
    expect(hosts.map((host) => host.core.replica.tombstoneCount)).toEqual([0, 0, 0, 0]);
    expect(hosts.map((host) => host.core.replica.recordCount())).toEqual(hosts.map(() => before - 30));
    expect(haveEqualRoots(hosts)).toBe(true);
  });

  it('wait for a member that is away, so that its old value does not come back', () => {
    const { world, hosts } = steady(3);
    write(hosts[0], 'k', '"old"');
    converge(world, hosts);
    isolate(world, 2);
    world.runTo(world.now + 3_000);
    write(hosts[0], 'k', null);
    world.runTo(world.now + 60_000);
    expect(at(hosts, 0).core.replica.tombstoneCount).toBe(1);
    expect(at(hosts, 2).core.replica.get('k')?.winner.value).toBe('"old"');
    world.rule = () => 'pass';
    converge(world, hosts);
    expect(hosts.map((host) => host.core.replica.get('k')?.winner.value ?? null)).toEqual([null, null, null]);
    world.runTo(world.now + COLLECTED_WITHIN_MS);
    expect(hosts.map((host) => host.core.replica.tombstoneCount)).toEqual([0, 0, 0]);
  });

  it('let nothing come back to life, whatever is cut, killed or restored from a backup meanwhile', () => {
    for (let seed = 1; seed <= 40; seed += 1)
      expect({ seed, revived: revivedIn(seed) }).toEqual({ seed, revived: [] });
  }, 120_000);
});

describe('a node restored from an old disk', () => {
  it('uses no sequence that its peers have seen, takes back what it lost, and revives nothing that was collected', () => {
    const { world, hosts } = steady(3);
    const restored = at(hosts, 2);
    write(restored, 'deleted', '1');
    converge(world, hosts);
    const backup = restored.backup();
    write(restored, 'later', '2');
    write(hosts[0], 'deleted', null);
    converge(world, hosts);
    world.runTo(world.now + COLLECTED_WITHIN_MS);
    expect(at(hosts, 0).core.replica.get('deleted')).toBeNull();
    restored.kill();
    restored.restore(backup);
    restored.start();
    write(restored, 'anew', '3');
    world.runUntil(() => allIn(hosts, 'P2P'), world.now + 5_000);
    converge(world, hosts);
    for (const host of hosts) {
      expect(host.core.replica.get('later')?.winner.value).toBe('2');
      expect(host.core.replica.get('anew')?.winner.value).toBe('3');
      expect(host.core.replica.get('deleted')).toBeNull();
    }
    expect(eventsOf(hosts, 'equivocation')).toEqual([]);
  });

  it('notices by its peers even when its clock went back with the disk', () => {
    const { world, hosts } = steady(3);
    const restored = at(hosts, 2);
    const backup = restored.backup();
    for (let i = 0; i < 20; i += 1) write(restored, `lost${i}`, '1');
    converge(world, hosts);
    const used = at(hosts, 0).core.replica.vector.last(restored.id);
    restored.kill();
    restored.restore(backup);
    restored.clockOffsetMs = -30_000;
    restored.start();
    converge(world, hosts);
    expect(eventsOf([restored], 'restored')).toHaveLength(1);
    write(restored, 'anew', '1');
    converge(world, hosts);
    expect(at(hosts, 0).core.replica.get('anew')?.winner.dot.sequence).toBeGreaterThan(used);
    expect(eventsOf(hosts, 'equivocation')).toEqual([]);
  });
});

describe('an author that signs two records under one dot', () => {
  it.each([
    ['one key', 'k', 'k'],
    ['two keys', 'k', 'l'],
  ])(
    'of %s: both are kept everywhere, and every node that sees both says so with both signatures',
    (_name, keyA, keyB) => {
      const { world, hosts } = steady(3);
      const author = at(hosts, 2);
      write(author, keyA, '1');
      converge(world, hosts);
      const one = at(hosts, 0).core.replica.get(keyA)?.winner;
      if (one === undefined) throw new Error('written');
      const stamp = { wallMs: one.stamp.wallMs + 1, counter: 0 };
      const other = signRecord({ ...one, key: keyB, value: '2', stamp }, (bytes) => author.signAs(bytes));
      at(hosts, 1).plant([other]);
      converge(world, hosts);
      for (const host of hosts) {
        expect(host.core.replica.record(one.id)).not.toBeNull();
        expect(host.core.replica.record(other.id)).not.toBeNull();
      }
      const accusations = eventsOf(hosts, 'equivocation');
      expect(accusations.length).toBeGreaterThanOrEqual(3);
      for (const { records } of accusations) {
        const ids = records.map((hex) => decodeRecord(Buffer.from(hex, 'hex')).id).toSorted();
        expect(ids).toEqual([one.id, other.id].toSorted());
      }
    },
  );
});

describe('a node whose clock is far ahead of its peers', () => {
  it('refuses writes and says so, owns no key, and recovers by itself when the clock is right', () => {
    const { world, hosts } = steady(3);
    const bad = at(hosts, 2);
    write(bad, 'before', '1');
    converge(world, hosts);
    bad.clockOffsetMs = 3_600_000;
    // The write that slips in before the first heartbeat tells: nobody takes it while its stamp is in the future.
    write(bad, 'slipped', '"from the future"');
    world.runTo(world.now + 2_000);
    expect(bad.core.clock().isSane).toBe(false);
    expect(write(bad, 'refused', '1')).toMatchObject({ ok: false, reason: 'clock' });
    expect(at(hosts, 0).core.replica.get('slipped')).toBeNull();
    expect(at(hosts, 0).core.clock().isSane).toBe(true);
    bad.clockOffsetMs = 0;
    world.runTo(world.now + 2_000);
    expect(bad.core.clock().isSane).toBe(true);
    expect(write(bad, 'after', '1')?.ok ?? true).toBe(true);
    write(hosts[0], 'slipped', '"of today"');
    converge(world, hosts);
    expect(hosts.map((host) => host.core.replica.get('after')?.winner.value)).toEqual(['1', '1', '1']);
    const seen = at(hosts, 0).core.replica.get('slipped');
    expect([seen?.winner.value, ...(seen?.siblings ?? []).map(({ value }) => value)]).toContain('"of today"');
    const stamps = [seen?.winner, ...(seen?.siblings ?? [])].map((record) => record?.stamp.wallMs ?? 0);
    expect(Math.max(...stamps)).toBeLessThan(bad.wallMs() + 60_000);
  });
});

describe('writes that wait for members', () => {
  it('are answered when so many have them on disk', () => {
    const { world, hosts } = steady(5);
    for (const [need, acks] of [
      ['majority', 3],
      ['all', 5],
      [2, 2],
    ] as const) {
      let outcome: WriteOutcome | null = null;
      at(hosts, 1).write([{ key: `w/${need}`, value: '1' }], (answer) => (outcome = answer), {
        need,
        timeoutMs: 2_000,
      });
      expect(world.runUntil(() => outcome !== null, world.now + 100)).toBe(true);
      expect(outcome).toMatchObject({ ok: true });
      const having = hosts.filter((host) =>
        [...host.backup().records.values()].some(({ key }) => key === `w/${need}`),
      );
      expect(having.length).toBeGreaterThanOrEqual(acks);
    }
  });

  it('say so when the time is over, and keep what was written', () => {
    const { world, hosts } = steady(3);
    isolate(world, 2);
    let outcome: WriteOutcome | null = null;
    at(hosts, 0).write([{ key: 'k', value: '1' }], (answer) => (outcome = answer), {
      need: 'all',
      timeoutMs: 300,
    });
    world.runTo(world.now + 400);
    expect(outcome).toMatchObject({ ok: false, reason: 'acks', acks: 2, need: 3 });
    world.rule = () => 'pass';
    converge(world, hosts);
    expect(at(hosts, 2).core.replica.get('k')?.winner.value).toBe('1');
  });

  it('are refused, and not written, when too few members can be reached', () => {
    const { world, hosts } = steady(3);
    isolate(world, 2);
    world.runTo(world.now + 10_000);
    let outcome: WriteOutcome | null = null;
    at(hosts, 2).write([{ key: 'k', value: '1' }], (answer) => (outcome = answer), {
      need: 'majority',
      timeoutMs: 300,
    });
    world.runTo(world.now + 10);
    expect(outcome).toMatchObject({ ok: false, reason: 'members', reachable: 1, need: 2 });
    expect(at(hosts, 2).core.replica.get('k')).toBeNull();
  });

  it('go over the other lung while one is cut', () => {
    const { world, hosts } = steady(3);
    world.rule = (_from, _to, lung) => (lung === 'p2p' ? 'drop' : 'pass');
    world.runUntil(() => allIn(hosts, 'HTTP'), world.now + 3_000);
    let outcome: WriteOutcome | null = null;
    at(hosts, 0).write([{ key: 'k', value: '1' }], (answer) => (outcome = answer), {
      need: 'all',
      timeoutMs: 1_000,
    });
    expect(world.runUntil(() => outcome !== null, world.now + 200)).toBe(true);
    expect(outcome).toMatchObject({ ok: true, acks: 3 });
  });
});

/** Values that live at the end although their delete was acknowledged; every key is written and deleted by one client each. */
function revivedIn(seed: number): readonly string[] {
  const world = new World({ ...WORLD_DEFAULTS, seed });
  const hosts = startHosts(world, seed, 4);
  world.runTo(3_000);
  const written: string[] = [];
  const deleted = new Set<string>();
  const backups = hosts.map((host) => host.backup());
  /** what each host deleted since its backup: with the backup it may be forgotten for good, when nobody else had heard of it */
  const since = hosts.map(() => new Set<string>());
  for (let round = 0; round < 120; round += 1) {
    const host = at(hosts, below(world.rng, hosts.length));
    const key = `k${round}`;
    if (host.isUp) {
      host.write([{ key, value: '1' }], ({ ok }) => void (ok && written.push(key)));
      const old = written[below(world.rng, written.length)];
      const knows = old !== undefined && (host.core.replica.get(old)?.winner.value ?? null) !== null;
      if (knows && world.rng() < 0.7)
        host.write([{ key: old, value: null }], ({ ok }) => {
          if (ok) deleted.add(old);
          since[host.number]?.add(old);
        });
    }
    const [restored, backedUp] = disturb(world, hosts, backups);
    for (const key of since[restored ?? -1] ?? []) deleted.delete(key);
    since[restored ?? backedUp ?? -1]?.clear();
    world.runTo(world.now + 400 * world.rng());
  }
  world.rule = () => 'pass';
  for (const host of hosts) if (!host.isUp) host.start();
  world.runTo(world.now + 40_000);
  if (!haveEqualRoots(hosts)) return ['roots unlike'];
  if (hosts.some((host) => host.core.replica.tombstoneCount > 0)) return ['tombstones left'];
  return [...deleted].filter((key) => hosts.some((host) => host.core.replica.get(key) !== null));
}

/** @returns who was restored from a backup, and of whom one was made */
function disturb(
  world: World,
  hosts: readonly Host[],
  backups: ReturnType<Host['backup']>[],
): readonly [number | null, number | null] {
  const number = below(world.rng, hosts.length);
  const host = at(hosts, number);
  const chance = world.rng();
  if (chance < 0.1) world.rule = () => 'pass';
  else if (chance < 0.15) isolate(world, number);
  else if (chance < 0.2) world.rule = (from, to) => (from < 2 !== to < 2 ? 'drop' : 'pass');
  else if (chance < 0.25 && host.isUp) host.kill();
  else if (chance < 0.35 && !host.isUp) host.start();
  else if (chance < 0.37 && !host.isUp) {
    const backup = backups[number];
    if (backup !== undefined) host.restore(backup);
    host.start();
    return [number, null];
  } else if (chance < 0.45 && host.isUp) {
    backups[number] = host.backup();
    return [null, number];
  }
  return [null, null];
}

function steady(nodes: number): { readonly world: World; readonly hosts: readonly Host[] } {
  const world = new World({ ...WORLD_DEFAULTS, seed: 11 });
  const hosts = startHosts(world, 11, nodes);
  world.runTo(3_000);
  return { world, hosts };
}

function isolate(world: World, number: number): void {
  world.rule = (from, to) => (from === number || to === number ? 'drop' : 'pass');
}

function converge(world: World, hosts: readonly Host[]): void {
  // A first moment for what was just written to leave its node.
  world.runTo(world.now + 50);
  expect(world.runUntil(() => haveEqualRoots(hosts), world.now + 10_000)).toBe(true);
  // A while in which heartbeats show that they are.
  world.runTo(world.now + 1_000);
}

function write(host: Host | undefined, key: string, value: string | null): WriteOutcome | null {
  let outcome: WriteOutcome | null = null;
  host?.write([{ key, value }], (answer) => {
    outcome = answer;
  });
  return outcome;
}

function eventsOf<T extends LatticeEvent['type']>(hosts: readonly Host[], type: T) {
  return hosts
    .flatMap((host) => host.events)
    .map(({ event }) => event)
    .filter((event): event is Extract<LatticeEvent, { type: T }> => event.type === type);
}

function at(hosts: readonly Host[], number: number): Host {
  const host = hosts[number];
  if (host === undefined) throw new RangeError(`no host ${number}`);
  return host;
}
