import { Faults } from './faults.ts';
import { EventHeap } from './heap.ts';
import { rngOf } from './rng.ts';
import { neighbourhood, partialMesh } from './topology.ts';
import { World, WORLD_DEFAULTS, type Quality } from './world.ts';

const NODES = 3;
const PERFECT: Quality = { latencyMs: [1, 1], loss: 0, duplicate: 0, reorder: 0 };

describe('the heap', () => {
  it('gives events by time, and those of one time in the order of their planning', () => {
    const heap = new EventHeap();
    const times = [5, 1, 3, 1, 5, 0, 3, 1];
    times.forEach((at) => heap.push(at, () => {}));
    const popped = times.map(() => heap.pop()).map((event) => [event?.at, event?.sequence]);
    expect(popped).toEqual([
      [0, 5],
      [1, 1],
      [1, 3],
      [1, 7],
      [3, 2],
      [3, 6],
      [5, 0],
      [5, 4],
    ]);
    expect(heap.pop()).toBeNull();
  });

  it('keeps its order as thousands come and go', () => {
    const heap = new EventHeap();
    const rng = rngOf(1);
    let due = 0;
    for (let i = 0; i < 20_000; i += 1) {
      heap.push(due + Math.floor(8 * rng()), () => {});
      if (rng() > 0.6) due = heap.pop()?.at ?? due;
    }
    const rest = Array.from({ length: heap.size }, () => heap.pop());
    const sorted = rest.toSorted(
      (a, b) => (a?.at ?? 0) - (b?.at ?? 0) || (a?.sequence ?? 0) - (b?.sequence ?? 0),
    );
    expect(rest.every((event, i) => event !== null && event === sorted[i])).toBe(true);
    expect(rest.length).toBeGreaterThan(5_000);
  });
});

describe('the world', () => {
  it('delivers after the latency, later where a rule says so, and not at all where it drops', () => {
    const world = worldWith(PERFECT);
    const arrived: [number, number][] = [];
    world.rule = (from) => (from === 0 ? 'pass' : from === 1 ? { afterMs: 10 } : 'drop');
    for (const from of [0, 1, 2]) world.send(from, 0, 'p2p', () => arrived.push([from, world.now]));
    world.runTo(100);
    expect(arrived).toEqual([
      [0, 1],
      [1, 11],
    ]);
  });

  it('does not run what was cancelled, and stops at its time', () => {
    const world = worldWith(PERFECT);
    const ran: number[] = [];
    world.after(1, () => ran.push(1)).cancel();
    world.after(2, () => ran.push(2));
    world.after(50, () => ran.push(50));
    world.runTo(10);
    expect([ran, world.now]).toEqual([[2], 10]);
  });

  it('loses, doubles and overtakes as often as the quality of a lung says', () => {
    const sent = 10_000;
    const count = (quality: Partial<Quality>): readonly number[] => {
      const world = worldWith({ ...PERFECT, ...quality });
      const order: number[] = [];
      for (let i = 0; i < sent; i += 1)
        world.after(i * 5, () => world.send(0, 1, 'http', () => order.push(i)));
      world.runTo(1e6);
      return order;
    };
    expect(count({ loss: 0.2 }).length / sent).toBeCloseTo(0.8, 1);
    expect(count({ duplicate: 0.1 }).length / sent).toBeCloseTo(1.1, 1);
    const order = count({ reorder: 0.1 });
    const overtaken = order.filter((one, i) => one < (order[i - 1] ?? 0)).length;
    expect(order).toHaveLength(sent);
    expect(overtaken).toBeGreaterThan(100);
    expect(count({})).toEqual(Array.from({ length: sent }, (_, i) => i));
  });
});

describe('faults', () => {
  it('close a path until the last one that closed it has ended', () => {
    const faults = new Faults(NODES);
    const endOne = faults.cut({ from: [0], to: [0, 1, 2], lungs: ['p2p'], oneWay: false });
    const endOther = faults.cut({ from: [0], to: [1], lungs: ['p2p', 'http'], oneWay: false });
    expect(faults.rule(0, 1, 'p2p')).toBe('drop');
    endOne();
    endOne();
    expect([faults.rule(0, 1, 'p2p'), faults.rule(1, 0, 'http'), faults.rule(0, 2, 'p2p')]).toEqual([
      'drop',
      'drop',
      'pass',
    ]);
    endOther();
    expect([faults.rule(0, 1, 'p2p'), faults.rule(1, 0, 'http')]).toEqual(['pass', 'pass']);
  });

  it('close one direction only where they are one-way, and delay where they say so', () => {
    const faults = new Faults(NODES);
    faults.cut({ from: [0], to: [1], lungs: ['http'], oneWay: true });
    const end = faults.delay({ from: [2], to: [0, 1], lungs: ['p2p'], oneWay: false }, 70);
    expect([faults.rule(0, 1, 'http'), faults.rule(1, 0, 'http')]).toEqual(['drop', 'pass']);
    expect([faults.rule(1, 2, 'p2p'), faults.rule(2, 1, 'http')]).toEqual([{ afterMs: 70 }, 'pass']);
    end();
    expect(faults.rule(1, 2, 'p2p')).toBe('pass');
  });
});

describe('a partial mesh', () => {
  it('is symmetric, connected, and as dense as it should be', () => {
    const nodes = 500;
    const topology = partialMesh(nodes, 8, 4, rngOf(9));
    for (const [lung, degree] of [
      ['p2p', 8],
      ['http', 4],
    ] as const) {
      const links = topology[lung];
      links.forEach((others, host) => {
        for (const other of others) expect(links[other]).toContain(host);
      });
      expect(links.flat().length / nodes).toBeCloseTo(degree, 0);
    }
    expect(neighbourhood(topology, 17, nodes)).toHaveLength(nodes);
    expect(neighbourhood(topology, 17, 20)).toHaveLength(20);
  });
});

function worldWith(quality: Quality): World {
  return new World({ ...WORLD_DEFAULTS, seed: 5, quality: { p2p: quality, http: quality } });
}
