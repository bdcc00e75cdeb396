import type { Clock } from '../ports.ts';
import { Discovery } from './discovery.ts';

describe('discovery by DNS', () => {
  it('finds every address of the name but our own, again and again', async () => {
    const { discovery, found, fire } = make([
      ['10.0.0.2', '10.0.0.1', '10.0.0.3'],
      ['10.0.0.4', '10.0.0.1'],
    ]);
    discovery.start();
    await turn();
    expect(found.splice(0)).toEqual(['10.0.0.2', '10.0.0.3']);
    expect(await fire()).toBe(500);
    expect(found).toEqual(['10.0.0.4']);
  });

  it('looks more seldom while nothing changes, and often again when something does', async () => {
    const { discovery, fire } = make([['a'], ['a'], ['a'], ['a'], ['a'], ['a'], ['a'], ['a'], ['b'], ['b']]);
    discovery.start();
    await turn();
    const pauses: number[] = [];
    for (let i = 0; i < 9; i += 1) pauses.push(await fire());
    expect(pauses.map(Math.round)).toEqual([500, 750, 1125, 1688, 2531, 3797, 5000, 5000, 500]);
  });

  it('goes on when the name does not resolve, and ends when stopped', async () => {
    const { discovery, found, fire, pending } = make([null, ['a']]);
    discovery.start();
    await turn();
    expect(found).toEqual([]);
    await fire();
    expect(found).toEqual(['a']);
    discovery.stop();
    expect(pending()).toBe(0);
  });
});

describe('discovery by a name with IPv6 addresses', () => {
  it('takes them where there are no others, but link-local ones', async () => {
    const { discovery, found } = make([['2001:db8::2', '2001:db8::3', 'fe80::2']]);
    discovery.start();
    await turn();
    expect(found).toEqual(['2001:db8::2', '2001:db8::3']);
  });

  it('takes those of IPv4 where there are both', async () => {
    const { discovery, found, warned } = make([['2001:db8::2', '10.0.0.2']], ['AETHEL_HTTP_HOST']);
    discovery.start();
    await turn();
    expect([found, warned]).toEqual([['10.0.0.2'], []]);
  });

  it('says once that this node listens on IPv4 only, and by which settings', async () => {
    const { discovery, warned, fire } = make([['2001:db8::2'], ['2001:db8::3']], ['AETHEL_HTTP_HOST']);
    discovery.start();
    await turn();
    await fire();
    expect(warned).toEqual([
      [
        expect.stringContaining('IPv6 only'),
        { tag: 'STARTUP', name: 'node', settings: ['AETHEL_HTTP_HOST'] },
      ],
    ]);
  });
});

/** @param answers what the name resolves to, look-up by look-up; null fails */
function make(answers: (readonly string[] | null)[], onlyIpv4: readonly string[] = []) {
  const warned: unknown[] = [];
  const found: string[] = [];
  let timer: { ms: number; run: () => void } | null = null;
  const clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    after: (ms, run) => {
      timer = { ms, run };
      return () => {
        timer = null;
      };
    },
  };
  const discovery = new Discovery(
    {
      clock,
      logger: { error() {}, warn: (...told) => warned.push(told), info() {}, debug() {} },
      onlyIpv4,
      resolve: async () => {
        const answer = answers.shift() ?? null;
        if (answer === null) throw new Error('ENOTFOUND');
        return answer;
      },
      ownAddresses: () => new Set(['10.0.0.1']),
      found: (address) => found.push(address),
    },
    { name: 'node', intervalMinMs: 500, intervalMaxMs: 5_000 },
  );
  const fire = async (): Promise<number> => {
    const due = timer;
    if (due === null) throw new Error('nothing is planned');
    timer = null;
    due.run();
    await turn();
    return due.ms;
  };
  return { discovery, found, fire, warned, pending: () => (timer === null ? 0 : 1) };
}

async function turn(): Promise<void> {
  await new Promise(setImmediate);
}
