/**
 * The HTTP lung against the contract: two nodes, each an express server with the lung's routes and a client that knows
 * the other's URL.
 *
 * The world plays what surrounds the lung in a node. Discovery brings later URLs to earlier lungs. The driver gives a lung only
 * the effects it can carry. And the core keeps polling a member that has gone: HTTP has no goodbye, so the link goes down
 * when its address is forgotten, which takes ten minutes in a node and a moment here.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { HttpLung } from '../../node/lungs/http/http-lung.ts';
import { memberKeyOf } from '../../node/lungs/http/member.ts';
import { memberMiddleware, syncRoute } from '../../node/lungs/http/routes.ts';
import type { Lung } from '../../node/ports.ts';
import type { NodeId } from '../../node/protocol/ids.ts';
import { beaconOf, identityFrom, realClock, Recorded, silentLogger } from './lung-kit.ts';
import { describeLung } from './lung.ts';
import type { LungWorld } from './lung.ts';

const KEY = memberKeyOf(new Uint8Array(32).fill(1));
const POLL_EVERY_MS = 20;

interface Made {
  readonly recorded: Recorded;
  readonly url: string;
  readonly server: Server;
  isGone: boolean;
}

function httpWorld(): LungWorld {
  const made: Made[] = [];
  let isPolling = true;

  async function make(seedByte: number): Promise<Recorded> {
    const { id } = identityFrom(seedByte);
    const lung = new HttpLung(
      { self: id, key: KEY, clock: realClock, logger: silentLogger },
      { urls: [], probeFirstMs: 10, probeMaxMs: 50, addressForgetMs: 200 },
    );
    const server = createServer(appOf(id, lung, seedByte));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const node: Made = {
      recorded: new Recorded({ ...asDriven(lung), stop: () => stop(node, lung) }, id),
      url,
      server,
      isGone: false,
    };
    await node.recorded.start();
    for (const other of made) {
      lung.addAddress(other.url);
      other.recorded.lung.addAddress(url);
    }
    made.push(node);
    return node.recorded;
  }

  async function stop(node: Made, lung: HttpLung): Promise<void> {
    await lung.stop();
    if (node.isGone) return;
    node.isGone = true;
    node.server.closeAllConnections();
    await new Promise((resolve) => node.server.close(resolve));
    keepPolling(node.recorded.id);
  }

  function keepPolling(gone: NodeId): void {
    const left = made.filter(({ isGone }) => !isGone);
    if (!isPolling || left.length === 0) return;
    for (const { recorded } of left) {
      if (recorded.isLinked(gone)) {
        recorded.lung.perform({ type: 'poll', peer: gone, root: beaconOf('0', 0).root, waitMs: 0 });
      }
    }
    realClock.after(POLL_EVERY_MS, () => keepPolling(gone));
  }

  return {
    make,
    end: async () => {
      isPolling = false;
      await Promise.all(made.map(({ recorded }) => recorded.lung.stop()));
    },
  };
}

function asDriven(lung: HttpLung): Lung {
  return {
    name: lung.name,
    start: (sink) => lung.start(sink),
    stop: () => lung.stop(),
    perform: (effect) => {
      if (effect.type !== 'publish' && effect.type !== 'beat') lung.perform(effect);
    },
    addAddress: (address) => lung.addAddress(address),
  };
}

function appOf(self: NodeId, lung: HttpLung, seedByte: number): express.Express {
  const app = express();
  app.disable('etag');
  app.use(memberMiddleware({ self, key: KEY, clock: realClock, sink: lung.sink }));
  app.use(syncRoute({ clock: realClock, sink: lung.sink }));
  app.get('/api/lattice/state', (_request, response) => {
    const { root, records } = beaconOf(String(seedByte % 10), seedByte);
    response.setHeader('ETag', `"${root}"`);
    response.json({ success: true, merkle_root: root, state_size: records });
  });
  return app;
}

describeLung('http', { gossip: false, beats: false, polls: true }, httpWorld);
