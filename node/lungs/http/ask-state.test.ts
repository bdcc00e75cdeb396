import { createServer, request as httpRequest, type ServerResponse } from 'node:http';
import {
  eventsOf,
  eventually,
  nodeId,
  ROOT_A,
  ROOT_B,
  World,
  type TestLung,
  type TestServer,
} from './world.fixture.ts';

const PEER = nodeId(2);
const CUT_MS = 300;
const HOLDING = { cutsMax: 3, againMs: 60_000, pauseMs: 10 };

/** What a proxy may do to an answer that waits for too long. */
type Cut = (response: ServerResponse) => void;
const hangUp: Cut = (response) => void response.destroy();
const gatewayTimeout: Cut = (response) => void response.writeHead(504).end('<h1>Gateway Timeout</h1>');

describe('behind a proxy that cuts off after 300 ms', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.end());

  it.each([
    ['hangs up', hangUp],
    ['answers 504', gatewayTimeout],
  ])('and %s, no poll is silent, and soon none is held any more', async (_what, cut) => {
    const { lung, server, proxy } = await linked(cut);
    for (let n = 0; n < 6; n += 1) await poll(lung);
    expect(eventsOf(lung.events, 'silent')).toEqual([]);
    expect(eventsOf(lung.events, 'refused')).toEqual([]);
    expect(lung.notes).toEqual(['held polls are cut off, asking plainly']);
    expect(lung.warnings).toEqual([]);
    expect(proxy.held).toBe(3);
    server.root = ROOT_B;
    await poll(lung);
    expect(eventsOf(lung.events, 'heard').at(-1)).toMatchObject({ beacon: { root: ROOT_B } });
  });

  it('polls are held again when the proxy lets them be', async () => {
    const { lung, proxy } = await linked(hangUp, { ...HOLDING, againMs: 1 });
    for (let n = 0; n < 4; n += 1) await poll(lung);
    proxy.isPatient = true;
    for (let n = 0; n < 50 && lung.notes.length < 2; n += 1) await poll(lung, 50);
    expect(lung.notes[1]).toBe('polls are held again');
  });

  it('a plain poll that waits for its turn gives way to the next, and to the end', async () => {
    const { lung } = await linked(hangUp, { ...HOLDING, pauseMs: 60_000 });
    for (let n = 0; n < 3; n += 1) await poll(lung);
    lung.lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 30_000 });
    await poll(lung, 0);
    lung.lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 30_000 });
    await lung.lung.stop();
  });

  it('a member that died is silent at once, and no proxy is blamed', async () => {
    const { lung, server } = await linked(hangUp);
    lung.lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 10_000 });
    await eventually(() => server.held === 1);
    const ended = new Promise((resolve) => server.server.close(resolve));
    server.server.closeAllConnections();
    await ended;
    await eventually(() => eventsOf(lung.events, 'silent')[0]);
    for (let n = 2; n <= 5; n += 1) {
      lung.lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 1_000 });
      await eventually(() => eventsOf(lung.events, 'silent').length === n);
    }
    expect(lung.notes).toEqual([]);
  });

  interface Cutter {
    url: string;
    /** polls that asked to be held */
    held: number;
    isPatient: boolean;
  }

  async function linked(
    cut: Cut,
    holding = HOLDING,
  ): Promise<{ readonly lung: TestLung; readonly server: TestServer; readonly proxy: Cutter }> {
    const server = await world.server();
    const proxy: Cutter = { url: '', held: 0, isPatient: false };
    proxy.url = await world.serve(
      createServer((request, response) => {
        const target = request.url ?? '';
        if (target.includes('wait=')) proxy.held += 1;
        const { method = 'GET', headers } = request;
        const onward = httpRequest(server.url + target, { method, headers, agent: false });
        const timer = setTimeout(() => {
          if (proxy.isPatient || response.headersSent) return;
          onward.destroy();
          cut(response);
        }, CUT_MS);
        onward.on('response', (answer) => {
          clearTimeout(timer);
          response.writeHead(answer.statusCode ?? 0, answer.headers);
          answer.pipe(response);
        });
        onward.on('error', () => response.destroy());
        response.on('close', () => clearTimeout(timer));
        request.pipe(onward);
      }),
    );
    const lung = await world.lung({ urls: [proxy.url], holding });
    await eventually(() => eventsOf(lung.events, 'heard')[0]);
    return { lung, server, proxy };
  }

  async function poll({ lung, events }: TestLung, waitMs = 1_000): Promise<void> {
    const before = events.length;
    lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs });
    await eventually(() => events.length > before);
  }
});
