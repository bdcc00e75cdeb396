import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { LatticeClient, NodeUnreachableError } from './client.ts';

const ROOT = 'e'.repeat(64);
const WRITTEN = { success: true, key: 'k', version: 'v', merkle_root: ROOT, acks: 1 };
const REFUSED = { success: false, type: 'urn:aethel:problem:x', title: 'x', status: 412, detail: 'not so' };

/** A node that answers every request in the same way. */
async function answering(answer: (response: http.ServerResponse) => void): Promise<http.Server> {
  const server = http.createServer((_, response) => answer(response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function json(status: number, body: unknown) {
  return (response: http.ServerResponse) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function clientOf(server: http.Server): LatticeClient {
  const { port } = server.address() as AddressInfo;
  return new LatticeClient(() => `http://127.0.0.1:${port}`, null, { timeoutMs: 300 });
}

describe('what a write came to', () => {
  it.each([
    ['ok', 'it is acknowledged as the contract says', json(201, WRITTEN)],
    ['fail', 'it is refused', json(412, REFUSED)],
    ['info', 'the node had trouble: it may have been written before', json(503, REFUSED)],
    ['fail', 'the node is starting', json(503, { ...REFUSED, type: 'urn:aethel:problem:starting' })],
    ['info', 'it is acknowledged in words that nobody understands', json(200, { fine: true })],
    ['info', 'the connection breaks', (response: http.ServerResponse) => response.destroy()],
    ['info', 'no answer comes in time', () => undefined],
  ] as const)('is %s when %s', async (outcome, _, answer) => {
    const server = await answering(answer);
    const client = clientOf(server);
    expect((await client.put('k', 1)).outcome).toBe(outcome);
    client.close();
    server.closeAllConnections();
    server.close();
  });

  it('is fail when nobody listens', async () => {
    const server = await answering(json(201, WRITTEN));
    const client = clientOf(server);
    server.close();
    await once(server, 'close');
    expect((await client.put('k', 1)).outcome).toBe('fail');
    client.close();
  });
});

describe('a read', () => {
  it('tells a key that is not there from a node that cannot say', async () => {
    const without = await answering(json(404, REFUSED));
    const broken = await answering(json(500, REFUSED));
    expect(await clientOf(without).get('k')).toBeNull();
    await expect(clientOf(broken).get('k')).rejects.toThrow(NodeUnreachableError);
    without.close();
    broken.close();
    without.closeAllConnections();
    broken.closeAllConnections();
  });

  it('walks through all pages of the entries', async () => {
    const page = (keys: readonly string[], next: string | null) => ({
      success: true,
      merkle_root: ROOT,
      state_size: 3,
      entries: keys.map((key) => ({
        key,
        value: key,
        version: 'v',
        author: 'a',
        timestamp: 1,
        conflict: false,
        siblings: [],
      })),
      count: keys.length,
      next_cursor: next,
    });
    const pages = [page(['a', 'b'], 'b'), page(['c'], null)];
    const server = await answering((response) => json(200, pages.shift())(response));
    const client = clientOf(server);
    const { root, entries } = await client.entries();
    expect(root).toBe(ROOT);
    expect([...entries.keys()]).toEqual(['a', 'b', 'c']);
    client.close();
    server.close();
  });
});
