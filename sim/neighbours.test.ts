/** A cluster in which all are linked, and each node watches a few: nothing that a small one promises is lost. */
import type { WriteOutcome } from '../node/protocol/border.ts';
import { NEIGHBOURS_MAX } from '../node/protocol/monitor/neighbours.ts';
import { POLICY_DEFAULTS } from '../node/protocol/mode/policy.ts';
import { allIn, freshWriteEverywhere, haveEqualRoots, startHosts } from './cluster.ts';
import type { Host } from './host.ts';
import { World, WORLD_DEFAULTS, type Rule } from './world.ts';

const NODES = 30;
const VICTIM = 0;

describe('thirty nodes, all linked', () => {
  it('send heartbeats to a few each, and hear of everyone in time', () => {
    const { world, hosts } = steady();
    const before = world.traffic.counts.beat.messages;
    world.runTo(world.now + 10_000);
    const perSecond = (world.traffic.counts.beat.messages - before) / NODES / 10;
    expect(perSecond).toBeLessThanOrEqual(((NEIGHBOURS_MAX + 1) * 1_000) / POLICY_DEFAULTS.beatMs);
    for (const host of hosts) {
      const states = host.core.peers().map(({ p2p, http }) => `${p2p.state} ${http.state}`);
      expect(states).toEqual(Array(NODES - 1).fill('alive alive'));
    }
  });

  it('fail over to HTTP within 1.5 s of a silent cut of one, and no other node switches', () => {
    const { world, hosts, victim } = steady();
    world.rule = cut(VICTIM, 'p2p');
    expect(world.runUntil(() => modeOf(victim) === 'HTTP', world.now + 1_500)).toBe(true);
    world.runTo(world.now + 5_000);
    expect(hosts.slice(1).every((host) => modeOf(host) === 'P2P')).toBe(true);
  });

  it.each([0, 300, 700, 1_500])(
    'bring a write made %i ms after the cut to all within a second, both ways',
    (afterMs) => {
      for (const reverse of [false, true]) {
        const { world, hosts } = steady();
        world.rule = cut(VICTIM, 'p2p');
        world.runTo(world.now + afterMs);
        expect(freshWriteEverywhere(world, reverse ? hosts.toReversed() : hosts, world.now + 1_000)).toBe(
          true,
        );
      }
    },
  );

  it('are back in P2P with equal roots within 2 s of the heal', () => {
    for (const cutMs of [700, 20_000]) {
      const { world, hosts } = steady();
      world.rule = cut(VICTIM, 'p2p');
      world.runTo(world.now + cutMs);
      world.rule = () => 'pass';
      const healedAt = world.now;
      expect(world.runUntil(() => allIn(hosts, 'P2P'), healedAt + 2_000)).toBe(true);
      expect(freshWriteEverywhere(world, hosts, healedAt + 2_000)).toBe(true);
    }
  });

  it('say NONE within 1.3 s where both lungs are cut', () => {
    const { world, victim } = steady();
    world.rule = cut(VICTIM, null);
    expect(world.runUntil(() => modeOf(victim) === 'NONE', world.now + 1_300)).toBe(true);
  });

  it('stay connected in each half of a split, and are alike again after the heal', () => {
    const { world, hosts } = steady();
    const isLeft = (host: number): boolean => host < NODES / 2;
    world.rule = (from, to) => (isLeft(from) === isLeft(to) ? 'pass' : 'drop');
    world.runTo(world.now + 5_000);
    const halves = [hosts.slice(0, NODES / 2), hosts.slice(NODES / 2)];
    for (const half of halves) expect(freshWriteEverywhere(world, half, world.now + 1_000)).toBe(true);
    expect(allIn(hosts, 'P2P')).toBe(true);
    world.rule = () => 'pass';
    expect(world.runUntil(() => haveEqualRoots(hosts), world.now + 3_000)).toBe(true);
  });

  it('carry writes over HTTP alone', () => {
    const { world, hosts } = steady();
    world.rule = (_from, _to, lung) => (lung === 'p2p' ? 'drop' : 'pass');
    expect(world.runUntil(() => allIn(hosts, 'HTTP'), world.now + 1_500)).toBe(true);
    world.runTo(world.now + 2_000);
    const before = world.traffic.counts.poll.messages;
    world.runTo(world.now + 10_000);
    const perSecond = (world.traffic.counts.poll.messages - before) / NODES / 10;
    expect(perSecond).toBeLessThanOrEqual(2 * NEIGHBOURS_MAX);
    expect(freshWriteEverywhere(world, hosts, world.now + 1_000)).toBe(true);
  });

  it('acknowledge for all, one of them over HTTP although its writer does not watch it', () => {
    const { world, hosts, victim } = steady();
    world.rule = cut(VICTIM, 'p2p');
    world.runTo(world.now + 3_000);
    const outcomes: WriteOutcome[] = [];
    for (const host of hosts.slice(1))
      host.write([{ key: `all/${host.number}`, value: '1' }], (outcome) => outcomes.push(outcome), {
        need: 'all',
        timeoutMs: 8_000,
      });
    expect(world.runUntil(() => outcomes.length === NODES - 1, world.now + 9_000)).toBe(true);
    expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
    expect(victim.core.replica.size()).toBe(NODES - 1);
  });

  it('collect tombstones, though each hears of most others only in turn', () => {
    const { world, hosts } = steady();
    const [first] = hosts;
    first?.write([{ key: 'k', value: '1' }], () => {});
    world.runTo(world.now + 1_000);
    first?.write([{ key: 'k', value: null }], () => {});
    expect(
      world.runUntil(() => hosts.every((host) => host.core.replica.recordCount() === 0), world.now + 40_000),
    ).toBe(true);
  });
});

function steady(): { world: World; hosts: readonly Host[]; victim: Host } {
  const world = new World({ ...WORLD_DEFAULTS, seed: 11 });
  const hosts = startHosts(world, 11, NODES);
  const victim = hosts[VICTIM];
  if (victim === undefined) throw new Error('a cluster has hosts');
  world.runTo(4_000);
  return { world, hosts, victim };
}

function cut(victim: number, only: 'p2p' | null): Rule {
  return (from, to, lung) =>
    (only === null || lung === only) && (from === victim || to === victim) ? 'drop' : 'pass';
}

function modeOf(host: Host): string {
  return host.core.mode().mode;
}
