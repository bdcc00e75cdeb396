/**
 * A process that looks like a node from outside: answers as one that serves, dials its peers' "libp2p" port on demand. Lets the
 * process cluster be tested without the product.
 */
import { openSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';

// A store is open as long as its node lives.
openSync(path.join(process.env['AETHEL_STATE_DIR'] ?? '', 'store.mdb'), 'w');

const p2pPort = Number((process.env['AETHEL_P2P_LISTEN'] ?? '').split('/').at(-1));
net.createServer((socket) => socket.end(process.env['AETHEL_NODE_NAME'] ?? '')).listen(p2pPort, '127.0.0.1');

http
  .createServer((request, response) => {
    const dial = /^\/dial\/(\d+)$/.exec(request.url ?? '')?.[1];
    if (request.url === '/health') response.end('{"status":"healthy"}');
    else if (request.url === '/api/lattice/p2p/status') response.end('{"success":true}');
    else if (request.url === '/p2p') response.end(String(p2pPort));
    else if (request.url === '/crash-at-stop') {
      process.on('SIGTERM', () => process.abort());
      response.end();
    } else if (dial !== undefined) {
      let heard = '';
      const socket = net.connect({ host: '127.0.0.1', port: Number(dial) });
      socket.setTimeout(300, () => socket.destroy());
      socket.on('data', (bytes) => (heard += bytes.toString()));
      socket.on('close', () => response.end(heard));
    } else response.writeHead(404).end();
  })
  .listen(Number(process.env['AETHEL_HTTP_PORT']), '127.0.0.1');
console.log(`fake node ${process.env['AETHEL_NODE_NAME']} in ${process.cwd()}`);
