import { draw, NO_WISHES } from './draw.ts';
import { endOf, type Step } from './schedule.ts';
import { readSchedule, writeSchedule } from './schedule-file.ts';

const SEEDS = Array.from({ length: 300 }, (_, i) => i + 1);

describe('a drawn schedule', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('is plain data: it comes back from a file as it went in', () => {
    for (const seed of SEEDS.slice(0, 20))
      expect(readSchedule(writeSchedule(draw(seed)))).toEqual(draw(seed));
  });

  it('lets everything happen to somebody, and nothing after the end of the safety phase', () => {
    const done = new Set<Step['do']>();
    for (const { steps, options } of SEEDS.map((seed) => draw(seed))) {
      for (const step of steps) {
        done.add(step.do);
        const isFault = !['facts', 'share', 'delete'].includes(step.do);
        if (isFault) expect(endOf(step)).toBeLessThanOrEqual(options.faultsMs + 1);
      }
    }
    expect([...done].sort()).toEqual([
      'backup',
      'clock',
      'cut',
      'delay',
      'delete',
      'equivocate',
      'facts',
      'force',
      'forge',
      'kill',
      'one-lung',
      'share',
      'stall',
    ]);
  });

  it('puts back the disks of fewer than half of the hosts, each from a backup made before', () => {
    for (const { steps, options } of SEEDS.map((seed) => draw(seed))) {
      const restores = steps.flatMap((step) => (step.do === 'kill' && step.backup !== null ? [step] : []));
      expect(2 * new Set(restores.map(({ host }) => host)).size).toBeLessThan(options.nodes);
      for (const { backup, at } of restores) {
        const made = steps.find(({ id }) => id === backup);
        expect(made?.do).toBe('backup');
        expect(made?.at).toBeLessThanOrEqual(at);
      }
    }
  });

  it('has a connected core also in a partial mesh', () => {
    const { options } = draw(5, { ...NO_WISHES, nodes: 100 });
    expect(options.degree).not.toBeNull();
    expect(options.core.length).toBeGreaterThanOrEqual(2);
  });
});

describe('a schedule from a file', () => {
  const text = writeSchedule(draw(1));
  it.each([
    ['no JSON', '{'],
    ['another version', text.replace('"version": 1', '"version": 2')],
    ['a step that there is not', text.replace('"do":"facts"', '"do":"fax"')],
    ['a host that there is not', text.replace(/"host":\d+/, '"host":77')],
    ['something that does not belong there', text.replace('"version": 1', '"version": 1, "extra": 1')],
    ['a time that is not one', text.replace(/"at":[\d.]+/, '"at":-1')],
  ])('is refused in one line: %s', (_name, wrong) => {
    const problem = readSchedule(wrong);
    expect(problem).toEqual(expect.stringMatching(/^[^\n]+$/));
  });
});
