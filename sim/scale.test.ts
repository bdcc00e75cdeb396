/** What is measured agrees with what is on paper, and the plot shows it. */
import { renderChart } from './scale-chart.ts';
import { measure } from './scale-measure.ts';
import { beatsPerSecond, copiesOfBatch, leastRounds, memberBytes, pollsPerSecond } from './scale-paper.ts';

const TRIAL = { nodes: 30, degree: 6, seed: 3, warmUpMs: 7_500, idleMs: 2_000, busyMs: 530, writes: 5 };

describe('a lattice of thirty nodes', () => {
  it('sends as many copies and heartbeats in a mesh as the formulas say, and brings every write everywhere', () => {
    const found = measure({ ...TRIAL, shape: 'mesh' });
    expect(found.isEverywhere).toBe(true);
    expect(found.write.batches).toBeCloseTo(copiesOfBatch(30, found.links), 6);
    // One with more links than it has neighbours sends fewer.
    expect(found.idle.beats).toBeLessThanOrEqual(beatsPerSecond(found.links, true) + 0.1);
    expect(found.idle.beats).toBeGreaterThan(0.9 * beatsPerSecond(found.links, true));
    expect(found.rounds.most).toBeGreaterThanOrEqual(leastRounds(30, found.links));
  });

  it('takes a majority of all for a majority where all have met, and of its neighbours where they have not', () => {
    expect(measure({ ...TRIAL, shape: 'all' }).majority).toEqual({ asked: 29, acks: 16 });
    expect(measure({ ...TRIAL, shape: 'mesh' }).majority.acks).toBeLessThan(16);
  });

  it('polls neighbours that it knows over HTTP only all the time, and nobody else', () => {
    const found = measure({ ...TRIAL, idleMs: 10_000, shape: 'strangers' });
    const paper = pollsPerSecond(found.links, found.strangers);
    expect(found.idle.polls).toBeGreaterThan(paper / 2);
    expect(found.idle.polls).toBeLessThan(paper * 1.5);
  });

  it('says when idle as much as it would among twice as many, where all are linked', () => {
    const [thirty, sixty] = [30, 60].map((nodes) => measure({ ...TRIAL, nodes, shape: 'all', writes: 1 }));
    expect(sixty?.idle.bytes).toBeLessThan((thirty?.idle.bytes ?? 0) * 1.3);
  });
});

it.each([
  [2, 8, 1],
  [9, 8, 1],
  [10, 8, 2],
  [65, 8, 2],
  [66, 8, 3],
])('needs to reach %i nodes over %i links each at least %i rounds', (nodes, degree, rounds) => {
  expect(leastRounds(nodes, degree)).toBe(rounds);
});

it('knows the bytes of a vector and of what is stored, which grow with the members up to a limit', () => {
  expect(memberBytes(1_000).vector / memberBytes(100).vector).toBeCloseTo(10, 1);
  expect(memberBytes(10_000)).toEqual(memberBytes(4_096));
});

it('draws a straight line for a power law, and escapes what it is told', () => {
  const points = [1, 10, 100].map((x) => ({ x, y: x * x }));
  const svg = renderChart({
    title: 'a < b',
    description: 'd',
    xName: 'x',
    yName: 'y',
    lines: [{ name: 'squares', points, isPaper: false }],
  });
  const [, drawn = ''] = /polyline points="([^"]+)"/.exec(svg) ?? [];
  const at = drawn.split(' ').map((pair) => pair.split(',').map(Number));
  const slope = (i: number): number =>
    ((at[i + 1]?.[1] ?? 0) - (at[i]?.[1] ?? 0)) / ((at[i + 1]?.[0] ?? 1) - (at[i]?.[0] ?? 0));
  expect(slope(0)).toBeCloseTo(slope(1), 2);
  expect(svg).toContain('a &lt; b');
});
