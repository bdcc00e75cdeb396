import { once } from 'node:events';
import net from 'node:net';
import { Twins } from './sync-twins.ts';
import { Wire } from './sync-wire.ts';

describe('our side of the sync suite', () => {
  it('brings a side that lacks history up to date in one round trip, with little around the records', () => {
    const { roundTrips, bytes, recordBytes } = new Twins(200).catchUp(50);
    expect(roundTrips).toBe(1);
    expect(recordBytes).toBeGreaterThan(50 * 250);
    expect(bytes - recordBytes).toBeLessThan(1000);
  });

  it('makes sides equal that differ anywhere, without the help of version vectors, again and again', () => {
    const twins = new Twins(200);
    for (const d of [1, 10, 40]) {
      const { roundTrips, recordBytes } = twins.reconcile(d);
      expect(roundTrips).toBeLessThanOrEqual(3);
      expect(Math.round(recordBytes / 274)).toBe(d);
    }
  });
});

describe('a counting wire', () => {
  it('counts what passes both ways, ends what it carries when it is cut, and passes again when mended', async () => {
    const echo = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const wire = await Wire.to(portOf(echo));
    const first = await dial(wire);
    expect(await say(first, 'hello')).toBe('hello');
    expect(wire.bytes).toBe(10);

    const ended = once(first, 'close');
    wire.cut();
    await ended;
    await once(
      net.connect(wire.port, '127.0.0.1').on('error', () => undefined),
      'close',
    );
    expect(wire.bytes).toBe(10);

    wire.mend();
    const second = await dial(wire);
    expect(await say(second, 'again')).toBe('again');
    expect(wire.bytes).toBe(20);
    await wire.close();
    echo.close();
    await once(echo, 'close');
  });
});

async function dial(wire: Wire): Promise<net.Socket> {
  const socket = net.connect(wire.port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

async function say(socket: net.Socket, text: string): Promise<string> {
  socket.write(text);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString();
}

function portOf(server: net.Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
