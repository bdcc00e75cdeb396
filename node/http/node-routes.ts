/** What the node says of itself, and the operator's switch. */
import type { Response, Router } from 'express';
import { parseQuery } from './query.ts';
import type { KeyRoutes } from './key-routes.ts';
import { mounted, onlyMethods } from './route-context.ts';
import type { RouteContext } from './route-context.ts';
import { NoQuery, SwitchQuery } from './schemas.ts';
import type {
  IdentityResponse,
  NodesResponse,
  ReadyResponse,
  StatusResponse,
  SwitchResponse,
} from './schemas.ts';
import { statusView } from './views.ts';

const FORCED = { p2p: 'P2P', http: 'HTTP', auto: null } as const;

export function nodeRoutes(router: Router, context: RouteContext, hot: KeyRoutes): void {
  const { api, metricsText, assertWriter } = context;

  router.route('/health').get(mounted(hot.health)).all(onlyMethods('GET, HEAD'));

  router
    .route('/ready')
    .get((request, response: Response<ReadyResponse>) => {
      parseQuery(request, NoQuery);
      const reasons = context.closing.aborted ? ['stopping'] : [...api.notReady()];
      const isReady = reasons.length === 0;
      response
        .status(isReady ? 200 : 503)
        .json({ status: isReady ? 'ready' : 'not ready', reasons, warnings: [...api.warnings()] });
    })
    .all(onlyMethods('GET, HEAD'));

  router
    .route('/api/lattice/p2p/status')
    .get((request, response: Response<StatusResponse>) => {
      parseQuery(request, NoQuery);
      response.json(statusView(api.status()));
    })
    .all(onlyMethods('GET, HEAD'));

  router
    .route('/api/lattice/p2p/identity')
    .get((request, response: Response<IdentityResponse>) => {
      parseQuery(request, NoQuery);
      const status = api.status();
      response.json({
        success: true,
        peer_id: status.peerId,
        listen_addrs: [...status.p2p.listenMultiaddrs],
      });
    })
    .all(onlyMethods('GET, HEAD'));

  router
    .route('/api/lattice/nodes')
    .get((request, response: Response<NodesResponse>) => {
      parseQuery(request, NoQuery);
      const nodes = [...api.status().httpUrls];
      response.json({ success: true, nodes, count: nodes.length });
    })
    .all(onlyMethods('GET, HEAD'));

  router
    .route('/api/lattice/sync/switch')
    .post((request, response: Response<SwitchResponse>) => {
      assertWriter(request);
      const mode = FORCED[parseQuery(request, SwitchQuery).mode];
      api.force(mode);
      response.json({ success: true, forced_mode: mode, sync_mode: api.status().mode });
    })
    .all(onlyMethods('POST'));

  router
    .route('/metrics')
    .get(async (request, response) => {
      parseQuery(request, NoQuery);
      response.type('text/plain; version=0.0.4; charset=utf-8').send(await metricsText());
    })
    .all(onlyMethods('GET, HEAD'));
}
