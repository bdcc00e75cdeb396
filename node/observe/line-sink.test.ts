import { LineSink, noneDropped } from './line-sink.ts';
import { FakeTarget, HandClock } from './line-target.fixture.ts';

describe('a reader that stops reading', () => {
  it('keeps nobody waiting, and gets what waits when it reads again', () => {
    const { sink, target, clock, dropped } = newSink();
    target.room = 3;
    sink.add('first\n');
    sink.add('second\n');
    expect(target.text).toBe('fir');
    target.room = Number.POSITIVE_INFINITY;
    clock.advance(250);
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
    clock.advance(250);
    expect(target.lines()).toEqual(['line 10', 'line 11', 'line 12', '7 missing']);
    sink.add('next\n');
    expect(target.lines().at(-1)).toBe('next');
  });

  it('is tried less and less often, at least four times a second', () => {
    const { sink, target, clock } = newSink();
    target.room = 0;
    sink.add('line\n');
    clock.advance(1_000);
    expect(target.tries).toBeGreaterThanOrEqual(7);
    clock.advance(10_000);
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
    clock.advance(1_001);
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
    clock.advance(1_000);
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
    clock.advance(499);
    await Promise.resolve();
    expect(isClosed).toBe(false);
    clock.advance(1);
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
  const sink = new LineSink(
    {
      target,
      clock,
      dropped,
      missing: (lines) => `${lines} missing\n`,
      trouble: (reason, code) => troubles.push(`${reason} ${code}`),
    },
    { bufferMax },
  );
  return { sink, target, clock, dropped, troubles };
}
