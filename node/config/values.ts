/** What the value of a setting may be: each takes text, and gives what it means, or a problem that can be told. */
import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { isNodeId } from '../protocol/ids.ts';

export type Env = Readonly<Record<string, string | undefined>>;
export type Complain = (name: string, problem: string) => void;

const LIST_MAX = 256;

export function text(pattern: RegExp, problem: string) {
  return parsed((value) => (pattern.test(value) ? value : null), problem);
}

export function integer(min: number, max: number) {
  return parsed((value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    return number >= min && number <= max ? number : null;
  }, `must be a whole number from ${min} to ${max}`);
}

export function flag() {
  return parsed((value) => {
    const word = value.toLowerCase();
    if (['true', '1', 'yes', 'on'].includes(word)) return true;
    return ['false', '0', 'no', 'off'].includes(word) ? false : null;
  }, 'must be true or false');
}

export function choice<const T extends string>(options: readonly T[]) {
  return parsed(
    (value) => options.find((option) => option === value.toLowerCase()) ?? null,
    `must be one of ${options.join(', ')}`,
  );
}

/** Values separated by commas or white space; duplicates count once. */
export function list(parse: (item: string) => string | null, problem: string) {
  return z.string().transform((value, context) => {
    const items = value.split(/[\s,]+/).filter((item) => item !== '');
    if (items.length > LIST_MAX) {
      context.issues.push({
        code: 'custom',
        message: `has ${items.length} entries, at most ${LIST_MAX}`,
        input: value,
      });
      return z.NEVER;
    }
    const good = items.map(parse);
    const bad = items.filter((_, i) => good[i] === null);
    if (bad.length > 0) {
      const shown = bad.slice(0, 3).map((item) => JSON.stringify(clip(item)));
      context.issues.push({ code: 'custom', message: `${problem} (not ${shown.join(', ')})`, input: value });
      return z.NEVER;
    }
    return [...new Set(good.filter((item) => item !== null))];
  });
}

export function parsed<T>(parse: (value: string) => T | null, problem: string) {
  return z.string().transform((value, context): T => {
    const result = parse(value.trim());
    if (result !== null) return result;
    context.issues.push({
      code: 'custom',
      message: `${problem} (is ${JSON.stringify(clip(value))})`,
      input: value,
    });
    return z.NEVER;
  });
}

export function hostOf(value: string): string | null {
  if (isIPv4(value) || isIPv6(value)) return value;
  const name = dnsNameOf(value);
  // the resolver looks into /etc/hosts for exactly this name
  return name === null ? null : withoutLastDot(name);
}

/**
 * Labels of letters, digits, dashes and underscores (compose makes names with those); not only digits and dots. A dot at
 * the end is legal: it ends an absolute name, which resolvers do not look for in search domains.
 */
export function dnsNameOf(value: string): string | null {
  const name = withoutLastDot(value);
  const isName =
    name.length <= 253 &&
    name.split('.').every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
  return isName && !/^[\d.]+$/.test(name) ? value : null;
}

/** One name has one form, where it is compared, put into a certificate's check or a multiaddr. */
function withoutLastDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

/** `/ip4|ip6/<address>/tcp/<port>`; port 0 is any free one. */
export function listenAddressOf(value: string): string | null {
  const parts = splitMultiaddr(value);
  return parts !== null && /^ip[46]$/.test(parts.family) && parts.peer === null ? value : null;
}

/** `/ip4|ip6|dns|dns4|dns6/<host>/tcp/<port>[/p2p/<peer id>]`, with a port that can be dialled. */
export function bootstrapAddressOf(value: string): string | null {
  const parts = splitMultiaddr(value);
  if (parts === null || parts.port === 0 || (parts.peer !== null && !isNodeId(parts.peer))) return null;
  const { family, host, port, peer } = parts;
  return `/${family}/${withoutLastDot(host)}/tcp/${port}${peer === null ? '' : `/p2p/${peer}`}`;
}

interface MultiaddrParts {
  readonly family: string;
  readonly host: string;
  readonly port: number;
  readonly peer: string | null;
}

function splitMultiaddr(value: string): MultiaddrParts | null {
  const [empty, family = '', host = '', tcp, portText = '', p2p, peer, ...rest] = value.split('/');
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : Number.NaN;
  const isHost =
    (family === 'ip4' && isIPv4(host)) ||
    (family === 'ip6' && isIPv6(host) && !host.includes('%')) ||
    (/^dns[46]?$/.test(family) && dnsNameOf(host) !== null);
  if (empty !== '' || !isHost || tcp !== 'tcp' || !(port <= 65_535) || rest.length > 0) return null;
  if (p2p === undefined) return { family, host, port, peer: null };
  return p2p === 'p2p' && peer !== undefined ? { family, host, port, peer } : null;
}

/** http or https, without path, query, fragment or user; a lone trailing slash is dropped. */
export function baseUrlOf(value: string): string | null {
  const url = URL.parse(value);
  if (url === null || !/^https?:\/\//i.test(value) || url.hostname === '') return null;
  const isBare = url.username === '' && url.password === '' && url.pathname === '/' && !/[?#@]/.test(value);
  if (!isBare || (url.protocol !== 'http:' && url.protocol !== 'https:')) return null;
  const { protocol, hostname, port } = url;
  const host = withoutLastDot(hostname);
  return host === '' ? null : `${protocol}//${host}${port === '' ? '' : `:${port}`}`;
}

/** Short enough for a line, and without the password that a URL may hold. */
export function clip(value: string): string {
  const shown = value.replace(/\/\/[^/@\s]*@/g, '//…@');
  return shown.length <= 80 ? shown : `${shown.slice(0, 80)}…`;
}

/** Told by shape: an error of Node's own may come from another realm. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'error';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'name' in error && typeof error.name === 'string' ? error.name : 'error';
}
