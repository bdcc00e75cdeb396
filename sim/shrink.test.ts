import { draw } from './draw.ts';
import { run, type RunReport } from './run.ts';
import type { Schedule } from './schedule.ts';
import { shrink } from './shrink.ts';

describe('shrinking', () => {
  it('leaves the one step that matters, as short as it may be, with no more hosts than it takes', () => {
    const drawn = draw(11);
    const culprit = drawn.steps.find((step) => step.do === 'cut' && step.forMs > 1_000);
    expect(culprit).toBeDefined();
    const fails = ({ steps }: Schedule): boolean =>
      steps.some((step) => step.id === culprit?.id && step.do === 'cut' && step.forMs >= 400);
    const shrunk = shrink(drawn, pretending(fails), { runsMax: 5_000 });
    expect(shrunk?.schedule.steps).toHaveLength(1);
    const [left] = shrunk?.schedule.steps ?? [];
    expect(left).toMatchObject({ id: culprit?.id, do: 'cut' });
    expect(left?.do === 'cut' && left.forMs < 800).toBe(true);
    expect(shrunk?.schedule.options.nodes).toBe(2);
  });

  it('keeps two steps that fail only together', () => {
    const drawn = draw(12);
    const [first, second] = [drawn.steps.at(5)?.id, drawn.steps.at(-5)?.id];
    const fails = ({ steps }: Schedule): boolean =>
      [first, second].every((id) => steps.some((step) => step.id === id));
    const shrunk = shrink(drawn, pretending(fails), { runsMax: 5_000 });
    expect(shrunk?.schedule.steps.map(({ id }) => id)).toEqual([first, second]);
  });

  it('finds in a real run the one write that a node acknowledged too early', () => {
    const sabotaged = (schedule: Schedule): RunReport => run(schedule, { sabotage: { repliesEarly: true } });
    const shrunk = shrink(draw(3), sabotaged, { runsMax: 200 });
    expect(shrunk?.report.violations[0]).toMatchObject({ kind: 'safety', promise: 'P1' });
    expect(shrunk?.schedule.steps.length).toBeLessThanOrEqual(1);
  });

  it('has nothing to do where nothing fails, and no more runs than it may', () => {
    expect(
      shrink(
        draw(1),
        pretending(() => false),
        { runsMax: 10 },
      ),
    ).toBeNull();
    let runs = 0;
    const counted = (schedule: Schedule): RunReport => {
      runs += 1;
      return pretending(() => true)(schedule);
    };
    shrink(draw(1), counted, { runsMax: 3 });
    expect(runs).toBe(3);
  });
});

/** Runs nothing: says whether the schedule has what makes it fail. */
function pretending(fails: (schedule: Schedule) => boolean): (schedule: Schedule) => RunReport {
  const base = run({
    ...draw(1),
    steps: [],
    options: { ...draw(1).options, faultsMs: 10, budgetMs: 10_000 },
  });
  return (schedule) =>
    fails(schedule)
      ? {
          ...base,
          verdict: 'safety',
          violations: [{ kind: 'safety', promise: 'P1', at: 0, text: 'planted' }],
        }
      : { ...base, verdict: 'pass', violations: [] };
}
