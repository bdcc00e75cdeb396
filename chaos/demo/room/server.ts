/**
 * The control room over HTTP, on this machine only: the page, its live events, its commands, the evidence. Everything is
 * behind the guard (guard.ts); what is asked is checked against the schemas of dashboard/room/commands.ts.
 */
import http from 'node:http';
import { once } from 'node:events';
import express from 'express';
import type { NextFunction, Request, Response } from 'express';
import { Command } from '../../../dashboard/room/commands.ts';
import type { PageFiles } from '../../../dashboard/build.ts';
import type { Feed } from './feed.ts';
import { refusalOf } from './guard.ts';
import type { Door } from './guard.ts';

export interface RoomDesk {
  /** Carries a command out. Throws RoomRefusal where it cannot be done now. */
  readonly execute: (command: Command) => Promise<void>;
  /** everything that this session can show, as JSON */
  readonly evidence: () => Promise<unknown>;
}

/** The command is well-formed, and cannot be done as things are: the fault is over, the node is down already. */
export class RoomRefusal extends Error {
  readonly code = 'room_refusal';
}

/** In the page's HTML, where the token of this start goes. */
const TOKEN_PLACE = '%AETHEL_ROOM_TOKEN%';

/** No foreign origin, no inline script; inline style attributes are set by script only, which this allows. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function roomApp(
  modules: { readonly page: PageFiles; readonly feed: Feed; readonly desk: RoomDesk },
  door: () => Door,
): express.Express {
  const { page, feed, desk } = modules;
  const app = express();
  app.disable('x-powered-by');
  app.use((request, response, next) => {
    response.set({
      'Content-Security-Policy': POLICY,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Cache-Control': 'no-store',
    });
    const refusal = refusalOf(request, door());
    if (refusal === null) next();
    else problem(response, 403, 'Refused', refusal);
  });

  app.get('/room/events', (request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('retry: 500\n\n');
    const lastEventId = request.headers['last-event-id'];
    if (!feed.connect(response, typeof lastEventId === 'string' ? lastEventId : undefined)) response.end();
  });

  app.post('/room/command', express.json({ limit: '64kb' }), async (request: Request, response) => {
    const command = Command.safeParse(request.body);
    if (!command.success) {
      const [issue] = command.error.issues;
      problem(response, 400, 'Bad request', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
      return;
    }
    try {
      await desk.execute(command.data);
      response.json({ success: true });
    } catch (error) {
      if (!(error instanceof RoomRefusal)) throw error;
      problem(response, 409, 'Not now', error.message);
    }
  });

  app.get('/room/evidence', async (_request, response) => {
    response.attachment(`aethel-evidence-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.json`);
    response.type('application/json').send(`${JSON.stringify(await desk.evidence(), null, 2)}\n`);
  });

  app.get(['/', '/{*path}'], (request, response) => {
    const name = request.path === '/' ? '/index.html' : request.path;
    const file = page.get(name);
    if (file === undefined) {
      problem(response, 404, 'Not found', `There is no ${request.path}.`);
      return;
    }
    // Names of assets carry a hash of their content.
    if (name.startsWith('/assets/')) response.set('Cache-Control', 'public, max-age=31536000, immutable');
    const body =
      name === '/index.html' ? file.body.toString('utf8').replace(TOKEN_PLACE, door().token) : file.body;
    response.type(file.type).send(body);
  });

  app.use((_request, response) => problem(response, 405, 'Method not allowed', 'Not here, or not so.'));

  app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const status = statusOf(error);
    problem(response, status, status < 500 ? 'Bad request' : 'The lab failed', messageOf(error));
  });
  return app;
}

export interface RoomServer {
  readonly port: number;
  close(): Promise<void>;
}

/** The first of these ports that is free. Throws the last port's error where none is. */
export async function listenOn(
  app: express.Express,
  host: string,
  ports: readonly number[],
): Promise<RoomServer> {
  let refused: unknown = new RangeError('no port to listen on');
  for (const port of ports) {
    const server = http.createServer(app);
    try {
      server.listen(port, host);
      await once(server, 'listening');
    } catch (error) {
      refused = error;
      continue;
    }
    const address = server.address();
    return {
      port: typeof address === 'object' && address !== null ? address.port : port,
      close: async () => {
        server.close();
        server.closeAllConnections();
        await once(server, 'close');
      },
    };
  }
  throw refused;
}

function problem(response: Response, status: number, title: string, detail: string): void {
  response
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ success: false, type: 'about:blank', title, status, detail }));
}

/** What express.json says of a body that is too large or no JSON. */
function statusOf(error: unknown): number {
  const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : 500;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : 500;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
