/**
 * The sockets that lead to one member: straight there, or through the proxy that its URL's scheme has (HTTP_PROXY,
 * HTTPS_PROXY), unless NO_PROXY or the loopback exempts it. A plain URL goes to the proxy as an absolute one, a TLS URL
 * through a tunnel (CONNECT), so that a proxy never sees inside.
 *
 * Node's own agents do it, because there the proxied sockets are in the site's own pool: giving up on a member ends them
 * too. axios would keep its tunnels in a pool that nobody else can reach.
 */
import { Agent as HttpAgent, type AgentOptions, type ClientRequestArgs } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { BlockList, isIP } from 'node:net';
import type { Duplex } from 'node:stream';

export interface Proxies {
  /** URLs of the proxies for members with http:// and with https://; null: none */
  readonly http: string | null;
  readonly https: string | null;
  /** host, host:port, .domain, *.domain, address, address range (a-b), CIDR block, or * for all */
  readonly exempt: readonly string[];
}

export interface Pool {
  readonly agent: HttpAgent | HttpsAgent;
  readonly isProxied: boolean;
}

/** A held poll, a probe and a few exchanges at a time; more wait for a socket. */
const SOCKETS_MAX = 8;

/** For a tunnel to stand, TLS included. Whoever asked has given up long before; this ends the socket. */
const TUNNEL_MS_MAX = 10_000;

export function poolFor(url: string, proxies: Proxies): Pool {
  const { protocol, hostname } = new URL(url);
  const isTls = protocol === 'https:';
  const proxy = isTls ? proxies.https : proxies.http;
  const options: AgentOptions = { keepAlive: true, maxSockets: SOCKETS_MAX, maxFreeSockets: SOCKETS_MAX };
  if (proxy === null || isNear(hostname.replace(/^\[|\]$/g, ''), proxies.exempt)) {
    return { agent: isTls ? new HttpsAgent(options) : new HttpAgent(options), isProxied: false };
  }
  const proxyEnv = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: proxies.exempt.join(',') };
  const proxied = { ...options, proxyEnv };
  return { agent: isTls ? new TunnelAgent(proxied) : new HttpAgent(proxied), isProxied: true };
}

/** @param host an address without brackets, or a name */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127\.[\d.]+$/.test(host);
}

/** What Node does not exempt by itself: ourselves, and blocks of addresses. */
function isNear(host: string, exempt: readonly string[]): boolean {
  if (isLoopbackHost(host)) return true;
  const family = isIP(host);
  if (family === 0) return false;
  const blocks = new BlockList();
  for (const block of exempt) {
    const [address = '', bits = ''] = block.split('/');
    const kind = isIP(address);
    if (kind === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (kind === 4 ? 32 : 128)) continue;
    blocks.addSubnet(address, Number(bits), kind === 4 ? 'ipv4' : 'ipv6');
  }
  return blocks.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** Node's agent does not know of a tunnel before it stands, so nobody would end one that never does. */
class TunnelAgent extends HttpsAgent {
  readonly #dug = new Set<Duplex>();

  override createConnection(
    options: ClientRequestArgs,
    done?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | null | undefined {
    let isOver = (): void => undefined;
    const socket = super.createConnection(options, (error: Error | null, made: Duplex) => {
      isOver();
      done?.(error, made);
    });
    if (!socket) return socket;
    const timer = setTimeout(() => socket.destroy(), TUNNEL_MS_MAX);
    isOver = () => {
      clearTimeout(timer);
      this.#dug.delete(socket);
    };
    this.#dug.add(socket);
    socket.once('close', isOver);
    return socket;
  }

  override destroy(): void {
    for (const socket of this.#dug) socket.destroy();
    super.destroy();
  }
}
