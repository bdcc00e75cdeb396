/**
 * Free TCP ports of loopback, below the range from which the system takes ports for outgoing connections: one of those may
 * be taken by a dial between this look and the moment at which a node listens.
 */
import net from 'node:net';
import { once } from 'node:events';

const FIRST = 20_000;
const LAST = 31_999;

/** @returns as many different ports as asked for, each free a moment ago */
export async function freePorts(count: number): Promise<readonly number[]> {
  const free: number[] = [];
  const start = Math.floor(Math.random() * (LAST - FIRST));
  for (let i = 0; free.length < count; i += 1) {
    if (i > LAST - FIRST) throw new Error(`no ${count} free ports from ${FIRST} to ${LAST}`);
    const port = FIRST + ((start + i) % (LAST - FIRST + 1));
    if (await isFree(port)) free.push(port);
  }
  return free;
}

async function isFree(port: number): Promise<boolean> {
  const server = net.createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    await once(server.close(), 'close');
    return true;
  } catch {
    return false;
  }
}
