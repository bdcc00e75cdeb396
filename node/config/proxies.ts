/**
 * The proxies on the way to HTTP peers. These variables are everybody's: an engine or a shell sets them for all programs,
 * so what is wrong there is a problem only to a node that would ask a peer that way, and a warning to any other.
 */
import { domainToASCII } from 'node:url';
import { isIP } from 'node:net';
import type { Complain, Env } from './values.ts';

export interface Proxies {
  /** URLs with their scheme, or null */
  readonly http: string | null;
  readonly https: string | null;
  /** what is asked without them */
  readonly exempt: readonly string[];
}

/** Also known in small letters, which go first, as with other programs. */
export const PROXY_VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'] as const;

const EXEMPT_MAX = 256;

/** Whatever a proxy's variable is called here, from now on it has its name in capitals. */
export function withProxies(env: Env): Env {
  const known = PROXY_VARIABLES.map((name): [string, string | undefined] => [
    name,
    env[name.toLowerCase()] ?? env[name],
  ]);
  return { ...env, ...Object.fromEntries(known.filter(([, value]) => value !== undefined)) };
}

export interface PeersToAsk {
  /** base URLs */
  readonly latticeNodes: readonly string[];
  /** members that DNS names are asked by http:// */
  readonly isDiscovering: boolean;
}

/** A proxy's URL may hold a password: what is wrong is told without it. */
export function readProxies(given: Env, peers: PeersToAsk, complain: Complain, warn: Complain): Proxies {
  const { latticeNodes, isDiscovering } = peers;
  const distant = latticeNodes.map((url) => new URL(url)).filter(({ hostname }) => !isLoopback(hostname));
  const isHttpNeeded = isDiscovering || distant.some(({ protocol }) => protocol === 'http:');
  const isHttpsNeeded = distant.some(({ protocol }) => protocol === 'https:');
  const proxy = (name: 'HTTP_PROXY' | 'HTTPS_PROXY', isNeeded: boolean): string | null => {
    const value = given[name];
    if (value === undefined) return null;
    const url = proxyUrlOf(value.trim());
    if (url === null) {
      (isNeeded ? complain : warn)(
        name,
        `must be the URL of a proxy, http:// or https://, without a path${isNeeded ? '' : '; no peer is asked through it'}`,
      );
    }
    return url;
  };
  const http = proxy('HTTP_PROXY', isHttpNeeded);
  const https = proxy('HTTPS_PROXY', isHttpsNeeded);
  const isExemptNeeded =
    (isHttpNeeded && given['HTTP_PROXY'] !== undefined) ||
    (isHttpsNeeded && given['HTTPS_PROXY'] !== undefined);
  return { http, https, exempt: exemptOf(given['NO_PROXY'], isExemptNeeded ? complain : warn) };
}

function exemptOf(value: string | undefined, complain: Complain): readonly string[] {
  const items = (value ?? '').split(/[\s,]+/).filter((item) => item !== '');
  const good = items.slice(0, EXEMPT_MAX).map(exempt);
  if (items.length > EXEMPT_MAX) complain('NO_PROXY', `has ${items.length} entries, at most ${EXEMPT_MAX}`);
  const bad = items.filter((_, at) => good[at] === null);
  if (bad.length > 0) {
    const shown = bad.slice(0, 3).map((item) => JSON.stringify(item.slice(0, 80)));
    complain(
      'NO_PROXY',
      `must be hosts, .domains, addresses, CIDR blocks or *, by commas or blanks (not ${shown.join(', ')})`,
    );
  }
  return [...new Set(good.filter((item) => item !== null))];
}

function exempt(item: string): string | null {
  const ascii = /^[\x21-\x7e]+$/.test(item) ? item : asciiOf(item);
  return /^[\w.:*/[\]-]{1,300}$/.test(ascii) ? ascii : null;
}

/** A name in other letters, as DNS knows it; a leading dot, or `*.`, stays. */
function asciiOf(item: string): string {
  const [, lead = '', name = ''] = /^(\*?\.)?(.*)$/s.exec(item) ?? [];
  return lead + domainToASCII(name);
}

/** As curl has it, a proxy without a scheme is one that is asked in plain HTTP. */
function proxyUrlOf(value: string): string | null {
  const url = URL.parse(value.includes('://') ? value : `http://${value}`);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') return null;
  return url.pathname === '/' && url.search === '' && url.hash === '' ? url.href : null;
}

/** Such peers need no proxy, see lungs/http/proxies.ts. */
function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) === 0) return host === 'localhost' || host.endsWith('.localhost');
  return host.startsWith('127.') || host === '::1';
}
