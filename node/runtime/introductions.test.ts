import type { Clock } from '../ports.ts';
import type { NodeId } from '../protocol/ids.ts';
import { Introductions } from './introductions.ts';

const PEER = 'peer' as NodeId;
const ADDRESS = '/ip4/127.0.0.1/tcp/9000';

describe('introductions', () => {
  it('pass on where a member listens', async () => {
    const { introductions, introduced, timers } = make([[ADDRESS, `${ADDRESS}1`]]);
    introductions.met(PEER);
    await turn();
    expect(introduced).toEqual([ADDRESS, `${ADDRESS}1`]);
    expect(timers).toEqual([]);
  });

  it('ask again, ever more slowly, while a member is silent or does not listen yet', async () => {
    const { introductions, introduced, timers } = make([null, [], [ADDRESS]]);
    introductions.met(PEER);
    await turn();
    await fire(timers, 500);
    await fire(timers, 1_000);
    expect(introduced).toEqual([ADDRESS]);
  });

  it('leave the other lung its time, and then ask only for whom it has not met', async () => {
    let isKnown = true;
    const { introductions, introduced, timers } = make([[ADDRESS]], {
      firstMs: 1_000,
      isKnown: () => isKnown,
    });
    introductions.met(PEER);
    introductions.met(PEER);
    await fire(timers, 1_000);
    expect([introduced, timers]).toEqual([[], []]);
    isKnown = false;
    introductions.met(PEER);
    await fire(timers, 1_000);
    expect(introduced).toEqual([ADDRESS]);
    introductions.stop();
    introductions.met(PEER);
    expect(timers).toEqual([]);
  });

  it('end after so many tries, and at once when stopped', async () => {
    const { introductions, timers } = make([]);
    introductions.met(PEER);
    await turn();
    await fire(timers, 500);
    await fire(timers, 1_000);
    expect(timers).toEqual([]);
    introductions.met(PEER);
    await turn();
    introductions.stop();
    expect(timers).toEqual([]);
  });

  it('come later where this node is strained, and not at all when they are needless by then', async () => {
    let isKnown = false;
    const { introductions, introduced, timers } = make([['/ip4/10.0.0.2/tcp/9000']], {
      putOffMs: 8_000,
      isKnown: () => isKnown,
    });
    introductions.met(PEER);
    isKnown = true;
    await fire(timers, 8_000);
    expect(introduced).toEqual([]);
    expect(timers).toEqual([]);
  });
});

interface Timer {
  readonly ms: number;
  readonly run: () => void;
}

function make(
  answers: (readonly string[] | null)[],
  { firstMs = 0, putOffMs = 0, isKnown = (): boolean => false } = {},
) {
  const introduced: string[] = [];
  const timers: Timer[] = [];
  const clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    after: (ms, run) => {
      const timer = { ms, run };
      timers.push(timer);
      return () => {
        const at = timers.indexOf(timer);
        if (at >= 0) timers.splice(at, 1);
      };
    },
  };
  const introductions = new Introductions(
    {
      clock,
      isKnown,
      addressesOf: async () => answers.shift() ?? null,
      introduce: (address) => introduced.push(address),
      putOffMs: () => putOffMs,
    },
    { firstMs, retryMinMs: 500, triesMax: 3 },
  );
  return { introductions, introduced, timers };
}

async function fire(timers: Timer[], ms: number): Promise<void> {
  const timer = timers.shift();
  expect(timer?.ms).toBe(ms);
  timer?.run();
  await turn();
}

async function turn(): Promise<void> {
  await new Promise(setImmediate);
}
