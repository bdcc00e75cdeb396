/**
 * The live stream (server-sent events): one `snapshot` with the status, then every event as it happens, named by its
 * type. Each client has a bounded backlog: one that cannot keep up is dropped and may come back for a new snapshot,
 * so no slow reader can fill the node's memory.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import type { Request, Response, Router } from 'express';
import type { DatedEvent } from '../protocol/events.ts';
import { HttpProblem } from './problems.ts';
import { parseQuery } from './query.ts';
import { onlyMethods } from './route-context.ts';
import type { RouteContext } from './route-context.ts';
import { NoQuery } from './schemas.ts';
import { statusView } from './views.ts';

export function eventRoutes(router: Router, context: RouteContext): void {
  let streams = 0;

  router
    .route('/api/lattice/events')
    .get((request, response) => {
      parseQuery(request, NoQuery);
      if (context.closing.aborted)
        throw new HttpProblem('stopping', 'The node is stopping; ask another one.');
      if (streams >= context.limits.streamsMax) {
        throw new HttpProblem('unavailable', 'Too many clients follow the events of this node.', {
          headers: { 'Retry-After': '5' },
        });
      }
      streams += 1;
      response.once('close', () => {
        streams -= 1;
      });
      stream(request, response);
    })
    .all(onlyMethods('GET, HEAD'));

  function stream(request: Request, response: Response): void {
    const { api, closing, limits } = context;
    response
      .status(200)
      .set({ 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const send = (text: string): void => {
      if (response.writableEnded || response.destroyed) return;
      response.write(text);
      if (response.writableLength > limits.streamBufferBytesMax) response.destroy();
    };
    send(`event: snapshot\ndata: ${JSON.stringify(statusView(api.status()))}\n\n`);
    const unsubscribe = api.subscribe((dated) => send(eventText(dated)));
    const heartbeat = setInterval(() => send(': still here\n\n'), limits.streamHeartbeatMs);
    const end = (): void => {
      response.end();
    };
    closing.addEventListener('abort', end, { once: true });
    const { socket } = request;
    socket.once('end', end);
    response.once('close', () => {
      unsubscribe();
      clearInterval(heartbeat);
      closing.removeEventListener('abort', end);
      socket.off('end', end);
    });
  }
}

function eventText(dated: DatedEvent): string {
  return `id: ${dated.id}\nevent: ${dated.event.type}\ndata: ${JSON.stringify(dated)}\n\n`;
}
