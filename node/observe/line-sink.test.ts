import fc from 'fast-check';
import { HandClock } from '../hand-clock.fixture.ts';
import { LineSink, noneDropped } from './line-sink.ts';
import { FakeTarget } from './line-target.fixture.ts';

describe('a reader that stops reading', () => {
  it('keeps nobody waiting, and gets what waits when it reads again', () => {
    const { sink, target, clock, dropped } = newSink();
    target.room = 3;
    sink.add('first\n');
    sink.add('second\n');
    expect(target.text).toBe('fir');
    target.room = Number.POSITIVE_INFINITY;
    clock.pass(250);
    expect(target.text).toBe('first\nsecond\n');
    expect(dropped).toEqual(noneDropped());
  });

  it('loses what the buffer has no room for, is told how much, and nobody else is told twice', () => {
    const { sink, target, clock, dropped, troubles } = newSink({ bufferMax: 30 });
    target.room = 0;
    for (let i = 10; i < 20; i += 1) sink.add(`line ${i}\n`);
    expect(dropped).toEqual({ ...noneDropped(), slow: 7 });
    expect(troubles).toEqual(['slow EAGAIN']);
    target.room = Number.POSITIVE_INFINITY;
    clock.pass(250);
    expect(target.lines()).toEqual(['line 10', 'line 11', 'line 12', '7 missing']);
    sink.add('next\n');
    expect(target.lines().at(-1)).toBe('next');
  });

  it('is tried less and less often, at least four times a second', () => {
    const { sink, target, clock } = newSink();
    target.room = 0;
    sink.add('line\n');
    clock.pass(1_000);
    expect(target.tries).toBeGreaterThanOrEqual(7);
    clock.pass(10_000);
    expect(target.tries).toBeLessThan(60);
  });
});

describe('a reader that is gone', () => {
  it('costs the lines, each counted, and the first second no further try', () => {
    const { sink, target, dropped, troubles } = newSink();
    target.failure = 'EPIPE';
    for (let i = 0; i < 5; i += 1) sink.add(`line ${i}\n`);
    expect(dropped).toEqual({ ...noneDropped(), gone: 5 });
    expect(target.tries).toBe(1);
    expect(troubles).toEqual(['gone EPIPE']);
  });

  it('may be followed by another one, who is told what is missing', () => {
    const { sink, target, clock } = newSink();
    target.failure = 'EPIPE';
    sink.add('lost\n');
    target.failure = null;
    clock.pass(1_001);
    sink.add('read\n');
    expect(target.lines()).toEqual(['read', '1 missing']);
  });
});

describe('a full disk', () => {
  it('is written on where it has room again, a line cut in two included', () => {
    const { sink, target, clock, dropped } = newSink({ bufferMax: 20, isPrompt: false });
    target.room = 4;
    sink.add('line 1\n');
    target.settle();
    target.failure = 'ENOSPC';
    for (let i = 2; i < 6; i += 1) sink.add(`line ${i}\n`);
    target.settle();
    expect(dropped).toEqual({ ...noneDropped(), slow: 3 });
    sink.add('line 6\n');
    expect(dropped).toEqual({ ...noneDropped(), slow: 3, full: 1 });
    target.failure = null;
    target.room = Number.POSITIVE_INFINITY;
    clock.pass(1_000);
    while (target.settle());
    expect(target.lines()).toEqual(['line 1', 'line 2', '4 missing']);
  });
});

describe('a target that is opened anew', () => {
  it('gets whole lines, also the one of which the old one has a part', () => {
    const { sink, target } = newSink();
    target.room = 9;
    sink.add('line 1\n');
    sink.add('line 2\n');
    target.room = Number.POSITIVE_INFINITY;
    target.text = '';
    sink.reopen();
    expect(target.opened).toBe(1);
    expect(target.text).toBe('line 2\n');
  });

  it('is opened only when no write is under way', () => {
    const { sink, target } = newSink({ isPrompt: false });
    sink.add('line\n');
    sink.reopen();
    expect(target.opened).toBe(0);
    target.settle();
    expect(target.opened).toBe(1);
  });
});

describe('a close', () => {
  it('waits for a write under way, and for no longer than it may', async () => {
    const { sink, target, clock } = newSink({ isPrompt: false });
    sink.add('line\n');
    let isClosed = false;
    const closed = sink.close(500).then(() => (isClosed = true));
    clock.pass(499);
    await Promise.resolve();
    expect(isClosed).toBe(false);
    clock.pass(1);
    await closed;
    expect(target.isOpen).toBe(true);
    target.settle();
    expect(target.isOpen).toBe(false);
  });

  it('does not wait for a disk that is full', async () => {
    const { sink, target } = newSink();
    target.failure = 'ENOSPC';
    sink.add('line\n');
    await sink.close(500);
    expect(target.isOpen).toBe(false);
  });
});

function newSink({ bufferMax = 1_000, isPrompt = true } = {}) {
  const target = new FakeTarget('stdout', isPrompt);
  const clock = new HandClock();
  const dropped = noneDropped();
  const troubles: string[] = [];
  const made = { notices: 0 };
  const sink = new LineSink(
    {
      target,
      clock,
      dropped,
      missing: (lines) => {
        made.notices += 1;
        return `${lines} missing\n`;
      },
      trouble: (reason, code) => troubles.push(`${reason} ${code}`),
    },
    { bufferMax },
  );
  return { sink, target, clock, dropped, troubles, made };
}

it('brings every line once, whole and in order, or counts it, whatever the target does', () => {
  const Step = fc.oneof(
    { weight: 6, arbitrary: fc.constant('add' as const) },
    fc.record({ room: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ failure: fc.constantFrom(null, 'ENOSPC', 'EPIPE', 'EROFS') }),
    fc.record({ passMs: fc.constantFrom(10, 250, 1_001) }),
    fc.constantFrom('settle' as const, 'reopen' as const),
  );
  fc.assert(
    fc.property(fc.boolean(), fc.array(Step, { maxLength: 60 }), (isPrompt, steps) => {
      const { sink, target, clock, dropped, made } = newSink({ bufferMax: 60, isPrompt });
      let added = 0;
      for (const step of steps) {
        if (step === 'add') sink.add(`line ${(added += 1)}.\n`);
        else if (step === 'settle') target.settle();
        else if (step === 'reopen') sink.reopen();
        else if ('room' in step) target.room = step.room;
        else if ('failure' in step) target.failure = step.failure;
        else clock.pass(step.passMs);
      }
      target.room = Number.POSITIVE_INFINITY;
      target.failure = null;
      for (let n = 0; n < 4; n += 1) {
        while (target.settle());
        clock.pass(1_001);
      }
      const whole = target.lines().map((line) => /^line (\d+)\.$/.exec(line)?.[1]);
      const numbers = whole.filter((number) => number !== undefined).map(Number);
      expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
      const lost = Object.values(dropped).reduce((sum, lines) => sum + lines, 0);
      const notices = target.lines().filter((line) => line.endsWith(' missing')).length;
      // A line of which only the end of the line is lost counts as lost, too.
      expect(numbers.length + notices + lost).toBeGreaterThanOrEqual(added + made.notices);
    }),
    { numRuns: 1_000 },
  );
});
