/** What the memory network adds to the contract of a lung: cuts. Its time is a manual clock. */
import { beaconOf, identityFrom, Recorded } from '../../../test/contract/lung-kit.ts';
import { HandClock } from '../../hand-clock.fixture.ts';
import { MemoryLung } from './memory-lung.ts';
import { MemoryNetwork } from './memory-network.ts';

async function pair() {
  const clock = new HandClock();
  const network = new MemoryNetwork<MemoryLung>(clock, { latencyMs: 2, redialMs: 20 });
  let root = beaconOf('b', 1);
  const make = (seed: number): Recorded & { readonly lung: MemoryLung } => {
    const { id } = identityFrom(seed);
    const lung = new MemoryLung('p2p', { id, network, beacon: () => root });
    return Object.assign(new Recorded(lung, id), { lung });
  };
  const [a, b] = [make(1), make(2)];
  await a.start();
  await b.start();
  const write = (): void => {
    root = beaconOf('c', 2);
    b.lung.rootChanged();
  };
  return { a, b, clock, network, write };
}

describe('a cut in the memory network', () => {
  it('swallows what is sent and leaves the link up', async () => {
    const { a, b, clock, network } = await pair();
    network.cut(b.id, a.id);
    a.lung.perform({ type: 'publish', bytes: Buffer.from('lost') });
    a.lung.perform({ type: 'beat', peer: b.id, beacon: beaconOf('a', 1) });
    a.lung.perform({ type: 'ask', peer: b.id, exchange: 1, bytes: Buffer.from('lost'), timeoutMs: 50 });
    clock.pass(100);
    expect(b.events.filter((event) => event.type !== 'link')).toEqual([]);
    expect(a.all('unanswered')).toEqual([expect.objectContaining({ reason: 'timeout' })]);
    expect(a.isLinked(b.id)).toBe(true);
  });

  it('swallows what is under way when it begins', async () => {
    const { a, b, clock, network } = await pair();
    a.lung.perform({ type: 'publish', bytes: Buffer.from('lost') });
    clock.pass(1);
    network.cut(a.id, b.id);
    clock.pass(100);
    expect(b.all('gossip')).toEqual([]);
  });

  it('keeps a reset link down until it heals; then both sides see it up', async () => {
    const { a, b, clock, network } = await pair();
    network.cut(a.id, b.id);
    a.lung.perform({ type: 'reset', peer: b.id });
    clock.pass(100);
    expect([a.isLinked(b.id), b.isLinked(a.id)]).toEqual([false, true]);
    network.heal();
    clock.pass(20);
    expect([a.isLinked(b.id), b.isLinked(a.id)]).toEqual([true, true]);
    expect(b.all('link').map((event) => event.state)).toEqual(['up', 'down', 'up']);
  });
});

describe('a memory poll', () => {
  it('is held while the roots are equal, and answered when they part', async () => {
    const { a, b, clock, write } = await pair();
    a.lung.perform({ type: 'poll', peer: b.id, root: beaconOf('b', 1).root, waitMs: 1000 });
    clock.pass(500);
    expect(a.all('heard')).toEqual([]);
    write();
    clock.pass(2);
    expect(a.all('heard')).toEqual([expect.objectContaining({ beacon: beaconOf('c', 2), rttMs: 502 })]);
  });

  it('is answered with the same root when the wait is over', async () => {
    const { a, b, clock } = await pair();
    a.lung.perform({ type: 'poll', peer: b.id, root: beaconOf('b', 1).root, waitMs: 1000 });
    clock.pass(1010);
    expect(a.all('heard')).toEqual([expect.objectContaining({ beacon: beaconOf('b', 1) })]);
  });
});
