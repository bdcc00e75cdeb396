import net from 'node:net';
import { once } from 'node:events';
import { poll } from '../cluster/poll.ts';
import { Forwarder, Meter } from './forwarder.ts';
import { LinkFault } from './link-fault.ts';
import { Links } from './links.ts';
import { deafen, isolate } from './partition.ts';
import type { SpecOf } from './spec.ts';

const CUT = { silence: 'both' } as const;
/** Without the matrix: behind these forwarders stand no nodes. */
const UNPROBED = { probes: false };

/** An echo server behind a forwarder, and a client before it. */
class Line {
  readonly server = net.createServer({ allowHalfOpen: true }, (socket) => {
    this.accepted.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  readonly accepted: net.Socket[] = [];
  readonly dialled: net.Socket[] = [];
  forwarder = new Forwarder(() => ({ host: '127.0.0.1', port: 0 }));
  port = 0;

  async open(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    const { port } = this.server.address() as net.AddressInfo;
    this.forwarder = new Forwarder(() => ({ host: '127.0.0.1', port }));
    this.port = await this.forwarder.listen();
    return this;
  }

  async dial(): Promise<{ readonly socket: net.Socket; readonly heard: () => string }> {
    const socket = net.connect(this.port, '127.0.0.1');
    this.dialled.push(socket);
    socket.on('error', () => undefined);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await once(socket, 'connect');
    return { socket, heard: () => text };
  }

  async close(): Promise<void> {
    for (const socket of [...this.dialled, ...this.accepted]) socket.destroy();
    await this.forwarder.close();
    this.server.close();
  }
}

async function eventually(claim: () => boolean): Promise<void> {
  expect(await poll(async () => (claim() ? true : null), { everyMs: 2, budgetMs: 5_000 })).toBe(true);
}

describe('a forwarder', () => {
  let line: Line;
  beforeEach(async () => {
    line = await new Line().open();
  });
  afterEach(() => line.close());

  it('passes everything while nothing is cut', async () => {
    const { socket, heard } = await line.dial();
    socket.write('hello');
    await eventually(() => heard() === 'hello');
  });

  it('passes nothing of an old connection while it is cut, keeps it open, and delivers late after the heal', async () => {
    const { socket, heard } = await line.dial();
    socket.write('a');
    await eventually(() => heard() === 'a');
    line.forwarder.impose(CUT);
    socket.write('b');
    await eventually(() => line.forwarder.counts.bytes > 0);
    expect(heard()).toBe('a');
    expect(socket.destroyed).toBe(false);
    line.forwarder.lift(CUT);
    await eventually(() => heard() === 'ab');
  });

  it('accepts a new connection while it is cut, says nothing, and never dials on', async () => {
    line.forwarder.impose(CUT);
    const { socket } = await line.dial();
    socket.write('hello');
    await eventually(() => line.forwarder.counts.dials === 1 && line.forwarder.counts.chunks > 0);
    expect(line.accepted).toHaveLength(0);
  });

  it('tells nobody during the cut that the other side has closed', async () => {
    const { socket, heard } = await line.dial();
    socket.write('a');
    await eventually(() => heard() === 'a');
    line.forwarder.impose(CUT);
    socket.destroy();
    // A later connection that is noticed shows that the close before it has been there, too.
    await line.dial();
    await eventually(() => line.forwarder.counts.dials === 1);
    expect(line.accepted[0]?.destroyed).toBe(false);
    expect(line.accepted[0]?.readableEnded).toBe(false);
    line.forwarder.lift(CUT);
    await eventually(() => line.accepted[0]?.destroyed === true);
  });

  it('keeps back one way only, where only one side shall hear nothing', async () => {
    const { socket, heard } = await line.dial();
    socket.write('a');
    await eventually(() => heard() === 'a');
    line.forwarder.impose({ silence: 'dialler' });
    socket.write('b');
    // The echo of what arrived at the other side is what is kept back.
    await eventually(() => line.forwarder.counts.bytes === 1);
    expect(heard()).toBe('a');
    const late = await line.dial();
    late.socket.write('new');
    await eventually(() => line.forwarder.counts.bytes === 4);
    expect(line.accepted).toHaveLength(1);
  });

  it('lets a new connection through as soon as it is healed', async () => {
    line.forwarder.impose(CUT);
    line.forwarder.lift(CUT);
    const { socket, heard } = await line.dial();
    socket.write('new');
    await eventually(() => heard() === 'new');
  });

  it('stays silent until the last of several silences is lifted', async () => {
    const oneWay = { silence: 'dialler' } as const;
    line.forwarder.impose(CUT);
    line.forwarder.impose(oneWay);
    line.forwarder.lift(CUT);
    const { socket, heard } = await line.dial();
    socket.write('a');
    await eventually(() => line.forwarder.counts.bytes === 1);
    expect(heard()).toBe('');
    line.forwarder.lift(oneWay);
    await eventually(() => heard() === 'a');
  });

  it('resets what there is and what comes, and passes again afterwards', async () => {
    const { socket } = await line.dial();
    const reset = { reset: true };
    const broken = new Promise((resolve) => socket.once('close', resolve));
    line.forwarder.impose(reset);
    await broken;
    const late = net.connect(line.port, '127.0.0.1');
    const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    expect(line.forwarder.counts.resets).toBe(2);
    line.forwarder.lift(reset);
    const { socket: again, heard } = await line.dial();
    again.write('a');
    await eventually(() => heard() === 'a');
  });

  it('delays each way, in order, and no longer when it is lifted', async () => {
    const slow = { delays: [{ ms: 40, jitterMs: 20 }] };
    line.forwarder.impose(slow);
    const { socket, heard } = await line.dial();
    const startedAt = performance.now();
    for (const letter of 'abcdefgh') socket.write(letter);
    await eventually(() => heard() === 'abcdefgh');
    // There and back again, each at least 20 ms; timers may be a millisecond early.
    expect(performance.now() - startedAt).toBeGreaterThan(38);
    line.forwarder.lift(slow);
    const { delayed } = line.forwarder.counts;
    expect(delayed).toBeGreaterThan(0);
    await eventually(() => heard() === 'abcdefgh');
    const quick = await line.dial();
    quick.socket.write('i');
    await eventually(() => quick.heard() === 'i');
    expect(line.forwarder.counts.delayed).toBe(delayed);
  });

  it('lets no more through a meter than it may, over all connections', async () => {
    const bytes = 20_000;
    const meter = new Meter(400);
    line.forwarder.impose({ meters: { toTarget: [meter], toDialler: [] } });
    const [one, two] = [await line.dial(), await line.dial()];
    const startedAt = performance.now();
    one.socket.write('x'.repeat(bytes));
    two.socket.write('y'.repeat(bytes));
    await eventually(() => one.heard().length + two.heard().length === 2 * bytes);
    expect(performance.now() - startedAt).toBeGreaterThan((2 * bytes) / 400 - 2);
  });
});

function faultOn(forwarder: Forwarder, grudges: SpecOf<'partition'>['grudges']): LinkFault {
  const link = { from: 'node1', to: 'node2', lung: 'p2p', forwarder } as const;
  const links = new Links(
    () => [link],
    () => true,
  );
  return new LinkFault({ kind: 'partition', grudges, scope: 'p2p', how: 'drop' }, links);
}

describe('a partition of links', () => {
  let line: Line;
  beforeEach(async () => {
    line = await new Line().open();
  });
  afterEach(() => line.close());

  it.each([
    ['node1', 'dialler'],
    ['node2', 'target'],
  ])('deafens %s as the %s of the link', async (name, silence) => {
    await faultOn(line.forwarder, deafen(['node1', 'node2'], name)).inject(UNPROBED);
    expect(line.forwarder.conditions).toEqual([{ silence }]);
  });

  it('is not gone where a link still holds it, nor does the matrix take that for intended', async () => {
    const cut = faultOn(line.forwarder, isolate(['node1', 'node2'], 'node1'));
    await cut.inject(UNPROBED);
    line.forwarder.lift = () => undefined;
    const { checks } = await cut.heal();
    expect(checks.map(({ holds }) => holds)).toEqual([false, false]);
  });

  it('is not in force where a link holds what nobody asked for', async () => {
    const cut = faultOn(line.forwarder, isolate(['node1', 'node2'], 'node1'));
    await cut.inject(UNPROBED);
    line.forwarder.impose({ reset: true });
    const { checks } = await cut.evidence(UNPROBED);
    expect(checks[0]).toEqual({ claim: 'the condition stands on 1 links and no others', holds: false });
  });

  it('is proven by what it kept back of others', async () => {
    const cut = faultOn(line.forwarder, isolate(['node1', 'node2'], 'node1'));
    await cut.inject(UNPROBED);
    const { socket } = await line.dial();
    socket.write('swallowed');
    await eventually(() => line.forwarder.counts.bytes === 9);
    const evidence = await cut.evidence(UNPROBED);
    expect(evidence.ok).toBe(true);
    expect(evidence.droppedBytes).toBe(9);
    expect((await cut.heal(UNPROBED)).ok).toBe(true);
    expect(line.forwarder.conditions).toEqual([]);
  });

  it('is not proven where what the lab dials gets through', async () => {
    const cut = faultOn(line.forwarder, isolate(['node1', 'node2'], 'node1'));
    line.forwarder.impose = () => undefined;
    await cut.inject(UNPROBED);
    const { checks } = await cut.evidence(UNPROBED);
    expect(checks[1]).toEqual({ claim: expect.stringContaining("of the lab's probes alone"), holds: false });
  });
});
