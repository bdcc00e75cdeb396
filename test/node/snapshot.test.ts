/**
 * A newcomer takes over a state through a line that breaks again and again, at any byte: it keeps what has come, goes on from there, and
 * shows nothing on the way that is not right.
 */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { CLUSTER_KEY, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk } from './talk.ts';

const BATCHES = 60;
const BATCH = 100;
const CUTS = 12;

describe('a newcomer behind a line that breaks', () => {
  const nodes: NodeProcess[] = [];
  let line: BreakingLine | null = null;

  afterEach(async () => {
    line?.close();
    await Promise.all(nodes.splice(0).map((node) => node.close()));
  });

  it.each(['http', 'p2p'] as const)(
    'takes the whole state over %s all the same',
    async (lung) => {
      const [httpA, p2pA, httpB] = [await freePort(), await freePort(), await freePort()];
      // Where the newcomer is seen it answers no HTTP: the other side would ask it directly, past the line.
      const hostB = '127.0.0.2';
      const [urlA, urlB] = [`http://127.0.0.1:${httpA}`, `http://${hostB}:${httpB}`];
      start({
        AETHEL_HTTP_PORT: String(httpA),
        AETHEL_P2P_ENABLED: String(lung === 'p2p'),
        AETHEL_P2P_LISTEN: `/ip4/127.0.0.1/tcp/${p2pA}`,
      });
      await until(
        async () => ((await talk(`${urlA}/api/lattice/p2p/status`)).status === 200 ? true : null),
        nodes,
      );
      for (let n = 0; n < BATCHES; n += 1) {
        const entries = Array.from({ length: BATCH }, (_, i) => ({ key: `k/${n}/${i}`, value: `${n}:${i}` }));
        expect((await talk(`${urlA}/api/lattice/state`, 'POST', { entries })).status).toBe(200);
      }
      line = new BreakingLine(lung === 'http' ? httpA : p2pA, CUTS);
      const port = await line.listen();
      start({
        AETHEL_HTTP_HOST: hostB,
        AETHEL_HTTP_PORT: String(httpB),
        AETHEL_P2P_ENABLED: String(lung === 'p2p'),
        AETHEL_P2P_LISTEN: '/ip4/127.0.0.1/tcp/0',
        ...(lung === 'http'
          ? { AETHEL_LATTICE_NODES: `http://127.0.0.1:${port}` }
          : { AETHEL_P2P_BOOTSTRAP: `/ip4/127.0.0.1/tcp/${port}` }),
      });
      const root = async (url: string): Promise<unknown> =>
        (await talk(`${url}/api/lattice/state`)).body['merkle_root'];
      await until(
        async () => {
          const { status, body } = await talk(keyUrl(urlB, 'k/59/99'));
          if (status === 200) expect(body['value']).toBe('59:99');
          return (await root(urlB)) === (await root(urlA)) ? true : null;
        },
        nodes,
        60_000,
      );
      // Over P2P the other side dials back once it knows the newcomer, past the line.
      expect(line.cuts).toBeGreaterThanOrEqual(lung === 'http' ? CUTS : 1);
      const metrics = await (await fetch(`${urlB}/metrics`)).text();
      expect(metrics).toMatch(/aethel_reconciliation_rungs_total\{[^}]*rung="snapshot"[^}]*\} [1-9]/);
    },
    90_000,
  );

  function start(env: Readonly<Record<string, string>>): void {
    const node = new NodeProcess();
    nodes.push(node);
    node.start({ AETHEL_CLUSTER_KEY: CLUSTER_KEY, ...env });
  }
});

/** Passes a TCP connection on and breaks it after so many bytes; after so many breaks it holds. */
class BreakingLine {
  cuts = 0;
  readonly #port: number;
  readonly #cutsMax: number;
  readonly #sockets = new Set<net.Socket>();
  readonly #server = net.createServer((socket) => this.#pass(socket));

  constructor(port: number, cutsMax: number) {
    this.#port = port;
    this.#cutsMax = cutsMax;
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(socket: net.Socket): void {
    const target = net.connect(this.#port, '127.0.0.1');
    // Odd lengths that grow: within a handshake, within a page, within the next one.
    let room = this.cuts < this.#cutsMax ? 977 * 2 ** (this.cuts % 9) + this.cuts : Infinity;
    const end = (): void => {
      socket.destroy();
      target.destroy();
    };
    target.on('data', (chunk) => {
      const part = chunk.subarray(0, room);
      room -= part.length;
      if (room > 0) socket.write(part);
      else if (socket.writable) {
        this.cuts += 1;
        socket.end(part, end);
        target.pause();
      }
    });
    socket.on('data', (chunk) => target.write(chunk));
    for (const one of [socket, target]) {
      this.#sockets.add(one);
      one.on('error', end).on('close', () => {
        this.#sockets.delete(one);
        end();
      });
    }
  }
}
