/**
 * Loaded into a node process before its own code (`node --import`), only by the lab's process cluster. It does two things:
 *
 * - A connection that the node opens to another node's libp2p port goes to the lab's forwarder of that link instead.
 *   Without this a node would bypass the forwarder: libp2p's identify tells every peer the real listen address.
 *   The node's code is the product's, unchanged; it believes to have dialled the real address.
 * - When the lab dies, by whatever death, the node dies with it: no process outlives its run.
 */
import { readFileSync } from 'node:fs';
import net from 'node:net';

/**
 * JSON: real port → forwarder's port, both on loopback; either itself or, where nodes come, go and move, the file that holds
 * it, which is read at every dial.
 */
const table = process.env['AETHEL_LAB_REDIRECT'] ?? '{}';

function forwarderOf(port: number | string | undefined): number | undefined {
  if (port === undefined) return undefined;
  const text = table.startsWith('{') ? table : readFileSync(table, 'utf8');
  return (JSON.parse(text) as Record<string, number>)[String(port)];
}

interface ConnectOptions {
  readonly port?: number | string;
}

function redirected(options: unknown): unknown {
  if (typeof options !== 'object' || options === null) return options;
  const port = forwarderOf((options as ConnectOptions).port);
  return port === undefined ? options : { ...options, host: '127.0.0.1', port };
}

const prototype = net.Socket.prototype as unknown as { connect: (...args: unknown[]) => unknown };
const connect = prototype.connect;
prototype.connect = function (this: net.Socket, ...args: unknown[]): unknown {
  const [first] = args;
  // net.connect() hands over its already normalised arguments as one marked array: change it in place.
  if (Array.isArray(first)) first[0] = redirected(first[0]);
  else args[0] = redirected(first);
  return connect.apply(this, args);
};

if (process.channel !== undefined) {
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  process.channel.unref();
}
