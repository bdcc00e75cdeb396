import net from 'node:net';
import { once } from 'node:events';
import { poll } from '../cluster/poll.ts';
import { Forwarder } from './forwarder.ts';
import { LinkCut } from './link-cut.ts';
import { deafen, isolate } from './partition.ts';
import type { Grudges } from './spec.ts';

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
    line.forwarder.cut();
    socket.write('b');
    await eventually(() => line.forwarder.counts.bytes > 0);
    expect(heard()).toBe('a');
    expect(socket.destroyed).toBe(false);
    line.forwarder.heal();
    await eventually(() => heard() === 'ab');
  });

  it('accepts a new connection while it is cut, says nothing, and never dials on', async () => {
    line.forwarder.cut();
    const { socket } = await line.dial();
    socket.write('hello');
    await eventually(() => line.forwarder.counts.dials === 1 && line.forwarder.counts.chunks > 0);
    expect(line.accepted).toHaveLength(0);
  });

  it('tells nobody during the cut that the other side has closed', async () => {
    const { socket, heard } = await line.dial();
    socket.write('a');
    await eventually(() => heard() === 'a');
    line.forwarder.cut();
    socket.destroy();
    // A later connection that is noticed shows that the close before it has been there, too.
    await line.dial();
    await eventually(() => line.forwarder.counts.dials === 1);
    expect(line.accepted[0]?.destroyed).toBe(false);
    expect(line.accepted[0]?.readableEnded).toBe(false);
    line.forwarder.heal();
    await eventually(() => line.accepted[0]?.destroyed === true);
  });

  it('keeps back one way only, where only one side shall hear nothing', async () => {
    const { socket, heard } = await line.dial();
    socket.write('a');
    await eventually(() => heard() === 'a');
    line.forwarder.cut('dialler');
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
    line.forwarder.cut();
    line.forwarder.heal();
    const { socket, heard } = await line.dial();
    socket.write('new');
    await eventually(() => heard() === 'new');
  });
});

function cutOf(grudges: Grudges, forwarder: Forwarder): LinkCut {
  const spec = { kind: 'partition', grudges, scope: 'p2p', how: 'drop' } as const;
  return new LinkCut(spec, [{ from: 'node1', to: 'node2', lung: 'p2p', forwarder }]);
}

describe('the cut of a node’s links', () => {
  let line: Line;
  beforeEach(async () => {
    line = await new Line().open();
  });
  afterEach(() => line.close());

  it.each([
    ['node1', 'dialler'],
    ['node2', 'target'],
  ])('deafens %s as the %s of the link', async (name, silence) => {
    const cut = line.forwarder.cut.bind(line.forwarder);
    const asked: unknown[] = [];
    line.forwarder.cut = (way) => {
      asked.push(way);
      cut(way);
    };
    await cutOf(deafen(['node1', 'node2'], name), line.forwarder).inject();
    expect(asked).toEqual([silence]);
  });

  it('is no evidence before anything was kept back', async () => {
    const cut = cutOf(isolate(['node1', 'node2'], 'node1'), line.forwarder);
    await cut.inject();
    expect((await cut.evidence()).ok).toBe(false);
    const { socket } = await line.dial();
    socket.write('swallowed');
    await eventually(() => line.forwarder.counts.bytes === 9);
    const evidence = await cut.evidence();
    expect(evidence.ok).toBe(true);
    expect(evidence.droppedBytes).toBe(9);
    expect((await cut.heal()).ok).toBe(true);
    expect(line.forwarder.isCut).toBe(false);
  });
});
