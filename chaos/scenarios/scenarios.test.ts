import { Schedule } from '../schedule/schedule.ts';
import type { FaultSpec } from '../faults/spec.ts';
import { SCENARIOS } from './index.ts';
import { ScenarioUnsupportedError } from './scenario.ts';

const NODES = ['node1', 'node2', 'node3', 'node4', 'node5'];
const ALL_SUPPORTED = (): string | null => null;

function scheduleOf(
  name: string,
  seed: number,
  options: {
    readonly supports?: (spec: FaultSpec) => string | null;
    readonly durationMs?: number;
    readonly nodes?: readonly string[];
  } = {},
): Schedule {
  const scenario = SCENARIOS.get(name);
  const { supports = ALL_SUPPORTED, durationMs = null, nodes = NODES } = options;
  const schedule = scenario?.schedule?.({ nodes, seed, durationMs, supports });
  if (schedule === undefined) throw new Error(`${name} has no schedule`);
  return schedule;
}

const SCHEDULED = [...SCENARIOS.values()].flatMap(({ name, schedule }) => (schedule === null ? [] : [name]));

describe('the schedule of a scenario', () => {
  it.each(SCHEDULED)('of %s is what its schema says, and the same from the same seed', (name) => {
    const schedule = scheduleOf(name, 11);
    expect(Schedule.parse(JSON.parse(JSON.stringify(schedule)))).toEqual(schedule);
    expect(scheduleOf(name, 11)).toEqual(schedule);
    expect(schedule.steps.length).toBeGreaterThan(0);
    const times = schedule.steps.map(({ at }) => at);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it('strikes another node with another seed', () => {
    const schedules = Array.from({ length: 20 }, (_, seed) =>
      JSON.stringify(scheduleOf('freeze-thaw', seed).steps),
    );
    expect(new Set(schedules).size).toBe(NODES.length);
  });

  it('of a ring of majorities is none for three nodes', () => {
    expect(() => scheduleOf('majorities-ring', 1, { nodes: NODES.slice(0, 3) })).toThrow(
      ScenarioUnsupportedError,
    );
  });

  it('of random lasts as long as it may, and does only what the world can do', () => {
    const supports = ({ kind }: FaultSpec): string | null =>
      kind === 'partition' || kind === 'kill' ? null : 'no';
    const schedule = scheduleOf('random', 5, { supports, durationMs: 1_200_000 });
    expect(schedule.steps.length).toBeGreaterThan(50);
    expect(Math.max(...schedule.steps.map(({ at, holdMs }) => at + holdMs))).toBeLessThanOrEqual(1_200_000);
    const kinds = new Set(schedule.steps.map((step) => (step.do === 'fault' ? step.spec.kind : step.do)));
    expect([...kinds].toSorted()).toEqual(['kill', 'partition']);
  });

  it('of random strikes links by one fault at a time', () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const cuts = scheduleOf('random', seed, { durationMs: 600_000 }).steps.filter(
        (step) => step.do === 'fault' && step.spec.kind === 'partition',
      );
      for (const [i, cut] of cuts.entries())
        expect(cut.at).toBeGreaterThan((cuts[i - 1]?.at ?? -1) + (cuts[i - 1]?.holdMs ?? 0));
    }
  });
});
