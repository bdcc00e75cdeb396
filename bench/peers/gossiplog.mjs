/**
 * @canvas-js/gossiplog as a process (stack.mjs): a signed log with an okra tree over it, in memory, over its own WebSocket client
 * and server, which is the leaner of its two networks (no encryption, no handshake of libp2p).
 *
 * In its favour: nothing is applied (a message is just kept), and nothing waits for a disk. Measured beside this: with SQLite and
 * LMDB in files 3.4 times, and over libp2p 2.4 times the time, and 1.1 times the bytes each.
 */
import './sqlite.mjs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { serve } from './stack.mjs';

const { GossipLog } = await import('@canvas-js/gossiplog/sqlite');

const log = new GossipLog({ topic: 'bench', apply: () => undefined, directory: null });
let held = 0;
log.addEventListener('message', () => {
  held += 1;
});

const port = await freePort();
await log.listen(port);
serve(port, {
  write: async (entries) => {
    let bytes = 0;
    for (const entry of entries) bytes += (await log.append(entry)).value.length;
    return bytes;
  },
  dial: (at) => log.connect(`ws://127.0.0.1:${at}`),
  holds: async (count) => {
    while (held < count) await once(log, 'message');
  },
});

/** It wants to be told one. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address();
  server.close();
  await once(server, 'close');
  return free;
}
