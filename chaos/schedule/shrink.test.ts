import fc from 'fast-check';
import { Schedule } from './schedule.ts';
import type { Step } from './schedule.ts';
import { shrinkSchedule } from './shrink.ts';
import { scheduleOf } from './testing/small.ts';

function kill(id: number, holdMs: number): Step {
  return { id, at: id * 1_000, holdMs, do: 'fault', spec: { kind: 'kill', nodes: ['node1'] } };
}

const has = (schedule: Schedule, ...ids: readonly number[]): boolean =>
  ids.every((id) => schedule.steps.some((step) => step.id === id));

describe('a schedule that fails', () => {
  it('shrinks to the steps that it needs', async () => {
    const steps = Array.from({ length: 20 }, (_, id) => kill(id, 800));
    const { schedule } = await shrinkSchedule(scheduleOf(steps), async (one) => has(one, 3, 17), {
      runsMax: 500,
    });
    expect(schedule.steps.map(({ id }) => id)).toEqual([3, 17]);
  });

  it('shrinks to the length that it needs', async () => {
    const long = async (one: Schedule): Promise<boolean> => one.steps.some(({ holdMs }) => holdMs >= 3_000);
    const { schedule } = await shrinkSchedule(scheduleOf([kill(0, 16_000)]), long, { runsMax: 50 });
    expect(schedule.steps.map(({ holdMs }) => holdMs)).toEqual([4_000]);
  });

  it('fails still, whatever it needs, and within the runs that it is given', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(15), { maxLength: 4 }),
        fc.integer({ min: 1, max: 60 }),
        async (needed, runsMax) => {
          const steps = Array.from({ length: 16 }, (_, id) => kill(id, 2_000));
          const fails = async (one: Schedule): Promise<boolean> => has(one, ...needed);
          const { schedule, runs } = await shrinkSchedule(scheduleOf(steps), fails, { runsMax });
          expect(await fails(schedule)).toBe(true);
          expect(runs).toBeLessThanOrEqual(runsMax);
        },
      ),
    );
  });

  it('stays as it is where nothing can be left out', async () => {
    const only = scheduleOf([kill(0, 100)]);
    expect((await shrinkSchedule(only, async (one) => has(one, 0), { runsMax: 50 })).schedule).toEqual(only);
  });
});

describe('a schedule in a file', () => {
  it('is read as it was written, or refused', () => {
    const schedule = scheduleOf([
      kill(0, 100),
      { id: 1, at: 5, holdMs: 1, do: 'force', node: 'node2', mode: 'HTTP' },
    ]);
    expect(Schedule.parse(JSON.parse(JSON.stringify(schedule)))).toEqual(schedule);
    for (const spoiled of [
      { ...schedule, version: 2 },
      { ...schedule, extra: 1 },
      { ...schedule, nodes: [] },
    ])
      expect(Schedule.safeParse(spoiled).success).toBe(false);
    fc.assert(fc.property(fc.jsonValue(), (value) => void Schedule.safeParse(value)));
  });
});
