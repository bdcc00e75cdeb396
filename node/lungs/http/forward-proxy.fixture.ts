/**
 * A forward proxy on 127.0.0.1 as companies have them: absolute URLs for http, CONNECT for https. Whatever host a client
 * names, it finds it on 127.0.0.1, so that tests can use names that only the proxy knows.
 */
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export interface ForwardProxy {
  readonly url: string;
  /** `CONNECT member.test:443` or `GET http://member.test/…`, with ` as user:password` when credentials came */
  readonly asked: string[];
  /** ways through it that are open now */
  readonly open: () => number;
  /** what happens to a CONNECT: a tunnel, no answer at all, or a refusal */
  mood: 'open' | 'mute' | 'forbidden';
  readonly end: () => Promise<void>;
}

export async function forwardProxy(): Promise<ForwardProxy> {
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  const note = (line: string, authorization: string | undefined): void => {
    const who = Buffer.from(authorization?.split(' ')[1] ?? '', 'base64').toString();
    asked.push(who === '' ? line : `${line} as ${who}`);
  };
  const server = createServer((request, response) => {
    note(`${request.method} ${request.url}`, request.headers['proxy-authorization']);
    const { port, pathname, search } = new URL(request.url ?? '');
    const { method, headers } = request;
    const onward = httpRequest({
      host: '127.0.0.1',
      port,
      path: pathname + search,
      ...(method !== undefined && { method }),
      headers,
      agent: false,
    });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('connect', (request, near: Socket, head: Buffer) => {
    note(`CONNECT ${request.url}`, request.headers['proxy-authorization']);
    if (proxy.mood === 'mute') return void near.on('end', () => near.destroy()).resume();
    if (proxy.mood === 'forbidden')
      return void near.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    const far = connect(Number(request.url?.split(':').at(-1)), '127.0.0.1', () => {
      near.write('HTTP/1.1 200 Connection established\r\n\r\n');
      far.write(head);
      far.pipe(near).pipe(far);
    });
    far.on('error', () => near.destroy());
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: ForwardProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    open: () => sockets.size,
    mood: 'open',
    end: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
