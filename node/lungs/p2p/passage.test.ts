/** On two real stacks, because it is libp2p's refusal that tells a member of the version before. */
import { multiaddr } from '@multiformats/multiaddr';
import { identityFrom, realClock } from '../../../test/contract/lung-kit.ts';
import { Arrivals } from './arrivals.ts';
import { P2P_DEFAULTS } from './options.ts';
import { Passage } from './passage.ts';
import { assembleStack, startStack } from './stack.ts';
import type { Connection, Stack } from './types.ts';

const stacks: Stack[] = [];

afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.stop();
});

async function stackOf(seedByte: number): Promise<Stack> {
  const stack = await assembleStack(
    {
      identity: identityFrom(seedByte),
      gater: {},
      arrivals: new Arrivals({ clock: realClock, atOnce: () => 16, turnMs: () => 500 }),
      onRefusedMessage: () => undefined,
    },
    {
      ...P2P_DEFAULTS,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      topic: 'test',
      clusterKey: new Uint8Array(32).fill(1),
      bootstrap: [],
    },
  );
  stacks.push(stack);
  await startStack(stack);
  return stack;
}

async function connected(): Promise<{
  readonly near: Stack;
  readonly far: Stack;
  readonly connection: Connection;
}> {
  const [near, far] = [await stackOf(1), await stackOf(2)];
  const connection = await near.dial(multiaddr(String(far.getMultiaddrs()[0])));
  return { near, far, connection };
}

describe('the passage of large messages', () => {
  it('is proven where the member answers, and leaves no stream open', async () => {
    const { near, far, connection } = await connected();
    const [here, there] = [new Passage(near), new Passage(far)];
    await here.start();
    await there.start();
    await expect(here.proveOn(connection)).resolves.toBeUndefined();
    expect(connection.streams.filter(({ protocol }) => protocol.includes('passage'))).toEqual([]);
  });

  it('is taken for granted where the member does not know the question, as the version before does not', async () => {
    const { near, connection } = await connected();
    await expect(new Passage(near).proveOn(connection)).resolves.toBeUndefined();
  });

  it('is not proven when the connection ends', async () => {
    const { near, far, connection } = await connected();
    await far.handle('/aethel/passage/1.0.0', () => undefined);
    const proof = new Passage(near).proveOn(connection);
    connection.abort(new Error('gone'));
    await expect(proof).rejects.toThrow(/gone|closed|ended|abort/);
  });
});
