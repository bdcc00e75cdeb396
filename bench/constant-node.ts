/**
 * The HTTP side of a node as it is, with nothing behind it: every write and every read is answered with a constant, and
 * nothing is signed or stored. What a real node takes longer is the price of the state, not of HTTP.
 *
 *   AETHEL_HTTP_PORT=… node bench/constant-node.ts
 */
import { createApp } from '../node/http/app.ts';
import { HttpServer } from '../node/http/server.ts';
import type { LatticeApi } from '../node/ports.ts';

const ROOT = '7d8b336117ce5a49491869b68d09949d8f9fbca7bbcebd6e73451aa2831c7835';
const ENTRY = {
  key: 'a key',
  value: '{"n":1,"text":"a value of a usual size"}',
  version: ROOT,
  author: '12D3KooWKyBUonGvD2LqC5CjjUbnnFGnH5WU9kQ5p5SaTeNAHTD7',
  timestamp: 1_700_000_000_000,
  siblings: [],
};

const written = (key: string) => ({ key, version: ROOT, created: true, replaced: [] });
const constant = {
  write: async (entries: readonly { readonly key: string }[]) => ({
    ok: true,
    written: entries.map(({ key }) => written(key)),
    root: ROOT,
    acks: 1,
  }),
  read: () => ENTRY,
};
const ignore = (): void => undefined;

const app = createApp(
  {
    // Nobody asks it for anything else here.
    api: constant as unknown as LatticeApi,
    metricsText: async () => '',
    logger: { error: ignore, warn: ignore, info: ignore, debug: ignore },
  },
  { apiToken: null, insecure: false },
);
const server = new HttpServer({ host: '127.0.0.1', port: Number(process.env['AETHEL_HTTP_PORT']) });
server.serve(app);
await server.listen();
