import { connect } from 'node:net';
import { once } from 'node:events';
import { createApp } from './app.ts';
import { FakeLattice } from './fake-lattice.ts';
import { eventually } from './http-client.fixture.ts';
import { HttpServer } from './server.ts';

const servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const PUT =
  'PUT /api/lattice/state/k HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"value":42}';
const GET = 'GET /api/lattice/state/k HTTP/1.1\r\nHost: x\r\n\r\n';
const HEALTH = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n';

/** Writes end when the test says so. */
class HeldLattice extends FakeLattice {
  release = (): void => undefined;
  readonly #released = new Promise<void>((resolve) => {
    this.release = resolve;
  });

  override async write(...given: Parameters<FakeLattice['write']>): ReturnType<FakeLattice['write']> {
    await this.#released;
    return super.write(...given);
  }
}

async function start() {
  const lattice = new HeldLattice();
  const ignore = (): void => undefined;
  const logger = { error: ignore, warn: ignore, info: ignore, debug: ignore };
  const server = new HttpServer({ host: '127.0.0.1', port: 0, drainMs: 50 });
  server.serve(
    createApp({ api: lattice, metricsText: async () => '', logger }, { apiToken: null, insecure: false }),
  );
  servers.push(server);
  const socket = connect(await server.listen(), '127.0.0.1');
  let heard = '';
  socket.on('data', (bytes) => {
    heard += bytes.toString();
  });
  socket.on('error', ignore);
  const statuses = (): readonly string[] => heard.match(/(?<=HTTP\/1\.1 )\d+/g) ?? [];
  return { lattice, server, socket, statuses, heard: () => heard };
}

describe('requests that do not wait for the answers before them', () => {
  it('see the write that was sent before them, and are answered in their order', async () => {
    const { lattice, socket, statuses, heard } = await start();
    socket.write(PUT + GET + HEALTH);
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    expect(heard()).toBe('');
    lattice.release();
    await eventually(() => statuses().length === 3);
    expect(statuses()).toEqual(['201', '200', '200']);
    expect(heard()).toContain('"value":42');
    socket.destroy();
  });

  it('are as many as may wait; who sends more is cut off, and nobody else', async () => {
    const { lattice, server, socket } = await start();
    const other = connect(server.port, '127.0.0.1');
    let told = '';
    other.on('data', (bytes) => {
      told += bytes.toString();
    });
    const isCut = once(socket, 'close');
    socket.write(PUT + GET.repeat(300));
    await isCut;
    other.write(HEALTH);
    await eventually(() => told.includes('200 OK'));
    lattice.release();
    other.write(PUT + GET.repeat(100));
    await eventually(() => (told.match(/"value":42/g) ?? []).length === 100);
    other.destroy();
  });
});
