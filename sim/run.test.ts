import { freshWriteEverywhere, allIn, haveEqualRoots, startHosts } from './cluster.ts';
import type { WriteOutcome } from '../node/protocol/border.ts';
import { draw, NO_WISHES } from './draw.ts';
import type { Host, Sabotage } from './host.ts';
import { run } from './run.ts';
import type { Schedule } from './schedule.ts';
import { World, WORLD_DEFAULTS, type Rule } from './world.ts';

const VICTIM = 0;

describe('a simulated cluster', () => {
  it('reaches P2P on every node soon after the start', () => {
    const { world, hosts } = cluster(5);
    expect(world.runUntil(() => allIn(hosts, 'P2P'), 2_000)).toBe(true);
  });

  it('carries a write to every node by gossip within 100 ms', () => {
    const { world, hosts } = steady(5);
    expect(freshWriteEverywhere(world, hosts, world.now + 100)).toBe(true);
  });

  it('fails over to HTTP within 1.5 s of a silent cut, and says so on the cut node only', () => {
    const { world, hosts, victim } = steady(5);
    world.rule = cutP2p(VICTIM);
    expect(world.runUntil(() => modeOf(victim) === 'HTTP', world.now + 1_500)).toBe(true);
    world.runTo(world.now + 5_000);
    expect(hosts.map(modeOf)).toEqual(['HTTP', 'P2P', 'P2P', 'P2P', 'P2P']);
  });

  // The budget is 1 s. Nobody waits for the verdict (1 s): a session takes HTTP as soon as a heartbeat is overdue.
  it.each([0, 100, 300, 500, 700, 900])(
    'a write made %i ms after a cut is on every node within 600 ms, on whichever side it was made',
    (afterMs) => {
      for (const reverse of [false, true]) {
        const { world, hosts } = steady(5);
        world.rule = cutP2p(VICTIM);
        world.runTo(world.now + afterMs);
        expect(freshWriteEverywhere(world, reverse ? hosts.toReversed() : hosts, world.now + 600)).toBe(true);
      }
    },
  );

  it('carries writes both ways while one lung of one node is cut', () => {
    const { world, hosts, victim } = steady(5);
    world.rule = cutP2p(VICTIM);
    world.runUntil(() => modeOf(victim) === 'HTTP', world.now + 1_500);
    expect(freshWriteEverywhere(world, hosts, world.now + 200)).toBe(true);
    expect(freshWriteEverywhere(world, [...hosts].reverse(), world.now + 200)).toBe(true);
  });

  it('is back in P2P with equal roots within 2 s of the heal, however long the cut was', () => {
    for (const cutMs of [700, 5_000, 40_000]) {
      const { world, hosts } = steady(5);
      world.rule = cutP2p(VICTIM);
      world.runTo(world.now + cutMs);
      world.rule = () => 'pass';
      const healedAt = world.now;
      expect(world.runUntil(() => allIn(hosts, 'P2P'), healedAt + 2_000)).toBe(true);
      expect(freshWriteEverywhere(world, hosts, healedAt + 2_000)).toBe(true);
    }
  });

  it('says NONE when both lungs are cut, takes writes, and converges after the heal', () => {
    const { world, hosts, victim } = steady(3);
    world.rule = (from, to) => (from === VICTIM || to === VICTIM ? 'drop' : 'pass');
    expect(world.runUntil(() => modeOf(victim) === 'NONE', world.now + 3_000)).toBe(true);
    let isAcknowledged = false;
    victim.write([{ key: 'alone', value: '1' }], (outcome) => {
      isAcknowledged = outcome.ok;
    });
    world.runTo(world.now + 5_000);
    expect(isAcknowledged).toBe(true);
    expect(haveEqualRoots(hosts)).toBe(false);
    world.rule = () => 'pass';
    expect(world.runUntil(() => haveEqualRoots(hosts) && allIn(hosts, 'P2P'), world.now + 3_000)).toBe(true);
    expect(hosts.every((host) => host.core.replica.get('alone')?.winner.value === '1')).toBe(true);
  });

  // P2P is given up after 1 s of silence, and HTTP has been asked since 600 ms of it; whenever its last slow poll was.
  it.each([3_000, 5_300, 9_800, 10_400, 12_700])(
    'cut off on both lungs %i ms after the start says NONE within 1.3 s, then refuses at once what waits for others',
    (startMs) => {
      const { world, hosts, victim } = cluster(5);
      world.runTo(startMs);
      world.rule = (from, to) => (from === VICTIM || to === VICTIM ? 'drop' : 'pass');
      expect(world.runUntil(() => modeOf(victim) === 'NONE', world.now + 1_300)).toBe(true);
      const switches = victim.events.filter(({ event }) => event.type === 'mode' && event.from === 'P2P');
      expect(switches).toMatchObject([{ event: { to: 'NONE' } }]);
      const outcomes: WriteOutcome[] = [];
      const demand = { need: 2, timeoutMs: 5_000 };
      victim.write([{ key: 'two', value: '1' }], (outcome) => outcomes.push(outcome), demand);
      victim.write([{ key: 'one', value: '1' }], (outcome) => outcomes.push(outcome), { ...demand, need: 1 });
      world.runTo(world.now + 50);
      expect(outcomes).toMatchObject([
        { ok: false, reason: 'members', reachable: 1, need: 2 },
        { ok: true, acks: 1 },
      ]);
      expect(victim.core.replica.get('two')).toBeNull();
      expect(hosts.slice(1).map(modeOf)).toEqual(['P2P', 'P2P', 'P2P', 'P2P']);
    },
  );

  it('keeps both sides of a split writing, and shows the same winner and the sibling everywhere after the heal', () => {
    const { world, hosts } = steady(4);
    world.rule = (from, to) => (from < 2 !== to < 2 ? 'drop' : 'pass');
    world.runTo(world.now + 3_000);
    hosts[0]?.write([{ key: 'contested', value: '"left"' }], () => {});
    hosts[3]?.write([{ key: 'contested', value: '"right"' }], () => {});
    world.runTo(world.now + 3_000);
    world.rule = () => 'pass';
    expect(world.runUntil(() => haveEqualRoots(hosts), world.now + 5_000)).toBe(true);
    const views = hosts.map((host) => host.core.replica.get('contested'));
    expect(new Set(views.map((view) => view?.winner.value)).size).toBe(1);
    expect(views.map((view) => view?.siblings.length)).toEqual([1, 1, 1, 1]);
  });

  it('does not switch when every node stalls for two seconds', () => {
    const { world, hosts } = steady(3);
    const switchesBefore = modeSwitches(hosts);
    for (const host of hosts) host.stall(2_000);
    world.runTo(world.now + 6_000);
    expect(modeSwitches(hosts)).toBe(switchesBefore);
  });

  it('holds a forced mode until auto, and loses nothing', () => {
    const { world, hosts, victim } = steady(3);
    victim.force('HTTP');
    expect(world.runUntil(() => modeOf(victim) === 'HTTP', world.now + 2_000)).toBe(true);
    expect(freshWriteEverywhere(world, hosts, world.now + 500)).toBe(true);
    expect(freshWriteEverywhere(world, [...hosts].reverse(), world.now + 500)).toBe(true);
    victim.force(null);
    expect(world.runUntil(() => modeOf(victim) === 'P2P', world.now + 1_000)).toBe(true);
  });
});

describe('forced modes under writes', () => {
  // Everyone writes all the time; one node, or all, are led through the modes.
  it.each([
    ['one node', 1],
    ['every node', 5],
  ])('lose no write on %s, and the mode is what was asked for', (_who, count) => {
    const { world, hosts } = steady(5);
    const acknowledged: string[] = [];
    let isOver = false;
    const writeOn = (turn: number): void => {
      if (isOver) return;
      const key = `w/${turn}`;
      hosts[turn % hosts.length]?.write(
        [{ key, value: '1' }],
        ({ ok }) => void (ok && acknowledged.push(key)),
      );
      world.after(20, () => writeOn(turn + 1));
    };
    writeOn(0);
    const led = hosts.slice(0, count);
    for (const forced of ['P2P', 'HTTP', 'P2P', 'HTTP', null] as const) {
      for (const host of led) host.force(forced);
      const shown = forced ?? 'P2P';
      expect(world.runUntil(() => led.every((host) => modeOf(host) === shown), world.now + 2_000)).toBe(true);
      world.runTo(world.now + 1_500);
      expect(led.map(modeOf)).toEqual(led.map(() => shown));
      expect(led.map((host) => host.core.mode().forced)).toEqual(led.map(() => forced));
    }
    isOver = true;
    expect(world.runUntil(() => haveEqualRoots(hosts), world.now + 1_000)).toBe(true);
    expect(acknowledged.length).toBeGreaterThan(350);
    for (const key of acknowledged) expect(hosts[0]?.core.replica.get(key)?.winner.value).toBe('1');
  });
});

describe('runs of seeds', () => {
  it('passes 20 seeds with random faults', () => {
    for (let seed = 1; seed <= 20; seed += 1) expect(run(short(seed)).violations).toEqual([]);
  });

  it('gives the same trace and numbers for the same seed, and another for another', () => {
    expect(run(short(7))).toEqual(run(short(7)));
    expect(run(short(7)).traceHash).not.toBe(run(short(8)).traceHash);
  });

  it('gives the same trace whether messages go as bytes or as they are', () => {
    const schedule = short(7);
    const inBytes = { ...schedule, options: { ...schedule.options, wire: true } };
    const asTheyAre = { ...schedule, options: { ...schedule.options, wire: false } };
    expect(run(inBytes)).toEqual(run(asTheyAre));
  });

  it('gives the same trace of 200 nodes each time, and where nothing is shared between them', () => {
    const drawn = draw(5, { ...NO_WISHES, nodes: 200, faultsMs: 5_000 });
    const report = run(drawn);
    expect(report.verdict).toBe('pass');
    expect(run(drawn)).toEqual(report);
    expect(run({ ...drawn, options: { ...drawn.options, wire: true } })).toEqual(report);
  });

  it('runs a partial mesh: gossip takes several hops, and all converge', () => {
    const report = run(draw(3, { ...NO_WISHES, nodes: 60, faultsMs: 8_000 }));
    expect(report.violations).toEqual([]);
    expect(report.stats.lastHop.max).toBeGreaterThan(1);
  });

  it.each<[string, Sabotage]>([
    ['a node that acknowledges before the disk has it', { repliesEarly: true }],
    ['a disk that forgets', { forgetsOnKill: true }],
  ])('calls it unsafe: %s', (_name, sabotage) => {
    const verdicts = [1, 2, 3, 4, 5, 6].map((seed) => run(short(seed), { sabotage }).verdict);
    expect(verdicts).toContain('safety');
  });

  it('calls it not live when a heal takes longer than its budget', () => {
    const drawn = short(1);
    const all = drawn.options.hosts.map((_, host) => host);
    const paths = { from: [0], to: all, lungs: ['p2p', 'http'] as const, oneWay: false };
    const options = { ...drawn.options, core: all, budgetMs: 20 };
    const report = run({
      ...drawn,
      options,
      steps: [{ id: 0, at: 2_000, do: 'cut', forMs: 60_000, paths }],
    });
    expect(report.violations).toMatchObject([{ kind: 'liveness', promise: 'P2' }]);
  });

  it('says that it was the core or itself that failed, when something is thrown', () => {
    const drawn = short(1);
    const broken: Schedule = { ...drawn, steps: [{ id: 0, at: 2_000, do: 'stall', forMs: 10, host: 99 }] };
    expect(run(broken).verdict).toBe('broken');
  });
});

function short(seed: number): Schedule {
  return draw(seed, { ...NO_WISHES, nodes: 5, faultsMs: 15_000 });
}

function cluster(nodes: number): { world: World; hosts: readonly Host[]; victim: Host } {
  const world = new World({ ...WORLD_DEFAULTS, seed: 42 });
  const hosts = startHosts(world, 42, nodes);
  const victim = hosts[VICTIM];
  if (victim === undefined) throw new Error('a cluster has hosts');
  return { world, hosts, victim };
}

function steady(nodes: number): ReturnType<typeof cluster> {
  const made = cluster(nodes);
  made.world.runTo(3_000);
  return made;
}

function cutP2p(victim: number): Rule {
  return (from, to, lung) => (lung === 'p2p' && (from === victim || to === victim) ? 'drop' : 'pass');
}

function modeOf(host: Host): string {
  return host.core.mode().mode;
}

function modeSwitches(hosts: readonly Host[]): number {
  return hosts.flatMap((host) => host.events).filter(({ event }) => event.type === 'mode').length;
}
