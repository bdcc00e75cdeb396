import http from 'node:http';
import type { Command } from '../../../dashboard/room/commands.ts';
import { TOKEN_HEADER } from '../../../dashboard/room/commands.ts';
import { emptyRoom } from '../../../dashboard/room/reduce.ts';
import { Feed } from './feed.ts';
import { loopbackHosts } from './guard.ts';
import { listenOn, roomApp, RoomRefusal } from './server.ts';
import type { RoomServer } from './server.ts';

const TOKEN = 'the-token-of-this-start';
const PAGE = new Map([
  ['/index.html', { type: 'text/html', body: Buffer.from('<meta content="%AETHEL_ROOM_TOKEN%">') }],
  ['/assets/a-1.js', { type: 'text/javascript', body: Buffer.from('1') }],
]);

describe('the control room over HTTP', () => {
  let server: RoomServer;
  let done: Command[] = [];
  const feed = new Feed(() => emptyRoom(0, 'processes'));

  beforeAll(async () => {
    let hosts: readonly string[] = [];
    const desk = {
      execute: async (command: Command) => {
        if (command.do === 'stop-tour') throw new RoomRefusal('no tour');
        if (command.do === 'settle') throw new Error('the lab is on fire');
        done.push(command);
      },
      evidence: async () => ({ schema: 'test' }),
    };
    server = await listenOn(
      roomApp({ page: PAGE, feed, desk }, () => ({ token: TOKEN, hosts })),
      '127.0.0.1',
      [0],
    );
    hosts = loopbackHosts(server.port);
  });
  beforeEach(() => {
    done = [];
  });
  afterAll(async () => {
    feed.close();
    await server.close();
  });

  it('serves the page with the token of this start in it, under a policy that lets no foreign script in', async () => {
    const answer = await ask('GET', '/');
    expect(answer.body).toBe(`<meta content="${TOKEN}">`);
    expect(answer.headers['content-security-policy']).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect((await ask('GET', '/assets/a-1.js')).headers['cache-control']).toMatch(/immutable/);
    expect((await ask('GET', '/assets/../../package.json')).status).toBe(404);
  });

  it('carries a command out', async () => {
    expect((await post({ do: 'kill', node: 'node1' })).status).toBe(200);
    expect(done).toEqual([{ do: 'kill', node: 'node1' }]);
  });

  it.each([
    ['an unknown command', { do: 'format-disk' }],
    ['a field too many', { do: 'kill', node: 'node1', hard: true }],
    ['no node', { do: 'kill' }],
    ['nobody', { do: 'cut', nodes: [], lung: 'p2p' }],
    ['an unknown lung', { do: 'cut', nodes: ['node1'], lung: 'smtp' }],
    ['one side only', { do: 'partition', groups: [['node1']], lung: 'both' }],
    ['a value that is too long', { do: 'write', node: 'node1', key: 'k', value: 'x'.repeat(2000) }],
  ])('refuses %s with 400, and does nothing', async (_, command) => {
    const answer = await post(command);
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toMatch(/problem\+json/);
    expect(done).toEqual([]);
  });

  it('refuses what is no JSON, and what is too large', async () => {
    expect((await ask('POST', '/room/command', own(), 'no json')).status).toBe(400);
    expect((await ask('POST', '/room/command', own(), `"${'x'.repeat(100_000)}"`)).status).toBe(413);
  });

  it('says why when a command cannot be done now, and when the lab itself failed', async () => {
    expect(await post({ do: 'stop-tour' })).toMatchObject({
      status: 409,
      body: expect.stringContaining('no tour'),
    });
    expect(await post({ do: 'settle' })).toMatchObject({
      status: 500,
      body: expect.stringContaining('on fire'),
    });
  });

  it.each([
    ['the token', { [TOKEN_HEADER]: 'wrong' }],
    ['the origin', { origin: 'http://evil.example' }],
    ['the host', { host: 'evil.example' }],
  ])('does nothing where %s is wrong', async (_, wrong) => {
    const answer = await ask('POST', '/room/command', { ...own(), ...wrong }, '{"do":"heal-all"}');
    expect(answer.status).toBe(403);
    expect(done).toEqual([]);
  });

  it('shows a foreign name neither the page with its token nor the events nor the evidence', async () => {
    for (const path of ['/', '/room/events', '/room/evidence']) {
      const answer = await ask('GET', path, { host: `evil.example:${server.port}` });
      expect(answer.status).toBe(403);
      expect(answer.body).not.toContain(TOKEN);
    }
  });

  it('hands the evidence out as a file', async () => {
    const answer = await ask('GET', '/room/evidence');
    expect(answer.headers['content-disposition']).toMatch(/aethel-evidence-.*\.json/);
    expect(JSON.parse(answer.body)).toEqual({ schema: 'test' });
  });

  it('answers other methods with 405 and other paths with 404', async () => {
    expect((await ask('PUT', '/room/command', own())).status).toBe(405);
    expect((await ask('GET', '/room/nothing')).status).toBe(404);
  });

  it('takes the next port where one is taken', async () => {
    const second = await listenOn(
      roomApp({ page: PAGE, feed, desk: never }, () => ({ token: '', hosts: [] })),
      '127.0.0.1',
      [server.port, 0],
    );
    expect(second.port).not.toBe(server.port);
    await second.close();
  });

  function own(): Record<string, string> {
    const host = `127.0.0.1:${server.port}`;
    return { host, origin: `http://${host}`, [TOKEN_HEADER]: TOKEN, 'content-type': 'application/json' };
  }

  function post(command: unknown): Promise<Answer> {
    return ask('POST', '/room/command', own(), JSON.stringify(command));
  }

  function ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body = '',
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = http.request(
        { host: '127.0.0.1', port: server.port, method, path, headers, agent: false },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => (text += part));
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
          );
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }
});

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

const never = {
  execute: async (): Promise<void> => undefined,
  evidence: async (): Promise<unknown> => null,
};
