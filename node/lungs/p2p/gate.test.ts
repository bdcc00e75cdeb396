import { identityFrom } from '../../../test/contract/lung-kit.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { Gate } from './gate.ts';
import type { PeerId, RawConnection } from './types.ts';

const [SMALL, GREAT] = [identityFrom(1).id, identityFrom(2).id].sort() as [NodeId, NodeId];
const RACE_MS = 1000;
const ALIVE_MS = 1000;

/** As much of a libp2p connection as the gate touches. */
class FakeRaw extends EventTarget {
  status = 'open';
  readonly remoteAddr = '/ip4/10.0.0.9/tcp/1';

  abort(error: Error): void {
    this.status = 'aborted';
    this.dispatchEvent(Object.assign(new Event('close'), { error }));
  }
}

function gateOf(own: NodeId, peer: NodeId) {
  const world = { now: 0, times: 1, heardMs: null as number | null, occupied: 0, strangers: [] as string[] };
  const gate = new Gate(
    {
      own,
      clock: { wallMs: () => world.now, monotonicMs: () => world.now, after: () => () => undefined },
      lastHeardMs: () => world.heardMs,
      onOccupied: () => (world.occupied += 1),
      onArrived: () => undefined,
      onStranger: (_address, reason) => world.strangers.push(reason),
    },
    { raceMs: RACE_MS, aliveMs: ALIVE_MS, stretched: (ms) => ms * world.times },
  );
  const hooks = gate.hooks();
  const peerId = { toString: () => peer } as unknown as PeerId;
  const knock = async (
    direction: 'inbound' | 'outbound',
  ): Promise<{ readonly raw: FakeRaw; readonly denied: boolean }> => {
    const fake = new FakeRaw();
    const raw = fake as unknown as RawConnection;
    if (direction === 'inbound') await hooks.denyInboundConnection?.(raw);
    const denied =
      direction === 'inbound'
        ? await hooks.denyInboundUpgradedConnection?.(peerId, raw)
        : await hooks.denyOutboundUpgradedConnection?.(peerId, raw);
    return { raw: fake, denied: denied ?? false };
  };
  return { world, knock };
}

describe('the gate', () => {
  it.each([
    ['keeps our dial when our id is smaller', SMALL, GREAT, 'outbound', 'inbound', true],
    ['keeps our dial when it ends second', SMALL, GREAT, 'inbound', 'outbound', false],
    ['keeps their dial when their id is smaller', GREAT, SMALL, 'outbound', 'inbound', false],
    ['keeps their dial when ours ends second', GREAT, SMALL, 'inbound', 'outbound', true],
    ['keeps the first of two dials of the same side', SMALL, GREAT, 'inbound', 'inbound', true],
  ] as const)('of two dials at once, %s', async (_claim, own, peer, first, second, secondDenied) => {
    const { knock } = gateOf(own, peer);
    const one = await knock(first);
    const two = await knock(second);
    expect([one.denied, two.denied]).toEqual([false, secondDenied]);
    expect(one.raw.status).toBe(secondDenied ? 'open' : 'aborted');
  });

  it('replaces an old connection when its silent peer dials again', async () => {
    const { world, knock } = gateOf(SMALL, GREAT);
    const one = await knock('outbound');
    world.now = 5000;
    world.heardMs = 3999;
    expect((await knock('inbound')).denied).toBe(false);
    expect(one.raw.status).toBe('aborted');
  });

  it('takes longer for at once, and for just now, where this node is strained', async () => {
    const { world, knock } = gateOf(SMALL, GREAT);
    world.times = 6;
    await knock('outbound');
    world.now = 5000;
    expect((await knock('inbound')).denied).toBe(true);
    world.now = 9000;
    world.heardMs = 4500;
    expect((await knock('inbound')).denied).toBe(true);
    world.times = 1;
    expect((await knock('inbound')).denied).toBe(false);
  });

  it('keeps an old connection over which something was heard just now', async () => {
    const { world, knock } = gateOf(SMALL, GREAT);
    const one = await knock('outbound');
    world.now = 5000;
    world.heardMs = 4500;
    expect((await knock('inbound')).denied).toBe(true);
    expect(one.raw.status).toBe('open');
  });

  it('keeps an old connection when our own dial ends at the same member, and tells the dialer', async () => {
    const { world, knock } = gateOf(SMALL, GREAT);
    await knock('inbound');
    world.now = 5000;
    expect((await knock('outbound')).denied).toBe(true);
    expect(world.occupied).toBe(1);
  });

  it('admits a peer again once its connection is gone', async () => {
    const { knock } = gateOf(SMALL, GREAT);
    const one = await knock('inbound');
    one.raw.abort(new Error('gone'));
    expect((await knock('inbound')).denied).toBe(false);
  });

  it('reports who fails the handshake, not who goes away', async () => {
    const { world, knock } = gateOf(SMALL, GREAT);
    (await knock('inbound')).raw.abort(new Error('read ECONNRESET'));
    (await knock('inbound')).raw.abort(
      Object.assign(new Error('garbage'), { name: 'EncryptionFailedError' }),
    );
    expect(world.strangers).toEqual(['garbage']);
  });
});
