import type { Server } from 'node:http';
import { HttpServer } from './server.ts';

it('outlives accepts that fail, and tells of them once a minute', async () => {
  const server = new HttpServer({ host: '127.0.0.1', port: 0 });
  const told: [string, number][] = [];
  server.onRefused = (error, connections) => told.push([error.message, connections]);
  const port = await server.listen();
  for (let n = 0; n < 3; n += 1) socketOf(port).emit('error', new Error('accept EMFILE'));
  expect(told).toEqual([['accept EMFILE', 1]]);
  expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
  await server.close();
});

it('leaves descriptors for others: it opens few more connections than it was given', async () => {
  const server = new HttpServer({ host: '127.0.0.1', port: 0, connectionsMax: 96 });
  const most = socketOf(await server.listen()).maxConnections;
  await server.close();
  expect(most).toBeLessThanOrEqual(1.25 * 96);
});

/** Node's own server on this port: it reports accepts that failed, which nobody can make happen at will. */
function socketOf(port: number): Server {
  const handles = (Reflect.get(process, '_getActiveHandles') as () => readonly object[]).call(process);
  const server = handles.find(
    (handle): handle is Server =>
      'address' in handle && isOn(handle as Server, port) && 'maxConnections' in handle,
  );
  if (server === undefined) throw new Error(`nobody listens at ${port}`);
  return server;
}

function isOn(server: Server, port: number): boolean {
  const address = server.address();
  return typeof address === 'object' && address?.port === port;
}
