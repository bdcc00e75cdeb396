/**
 * A site is a base URL with its own pool of sockets and what is known of the member behind it. A pool per site makes
 * giving up on one member's sockets a matter of that member alone.
 */
import type { NodeId } from '../../protocol/ids.ts';
import type { Holding } from './holding.ts';
import type { Door } from './member-client.ts';
import type { Pool } from './proxies.ts';

export interface Site extends Door {
  readonly isConfigured: boolean;
  /** only a third member said so, and nobody has answered here yet */
  isTold: boolean;
  readonly holding: Holding;
  /** monotonic ms when it became known */
  readonly since: number;
  /** the member that answered here last */
  peer: NodeId | null;
  /** monotonic ms of the last signed answer */
  answeredAt: number | null;
  /** of the last beacon */
  records: number | null;
  /** in a row */
  failures: number;
  /** ms until the next probe, before jitter */
  probeMs: number;
  /** monotonic ms until which polls carry no condition, as none arrives */
  bareUntil: number;
  isProbed: boolean;
  cancelProbe: (() => void) | null;
  /** that somebody without the key answers here is said once, not with every probe */
  isRefusalTold: boolean;
  /** another process with our own identity answered here last */
  isTwin: boolean;
}

type Given = Pool & Pick<Site, 'url' | 'isConfigured' | 'isTold' | 'since' | 'probeMs' | 'holding'>;

export function newSite(given: Given): Site {
  return {
    ...given,
    clockOffsetMs: 0,
    peer: null,
    answeredAt: null,
    records: null,
    failures: 0,
    bareUntil: -Infinity,
    isProbed: false,
    cancelProbe: null,
    isRefusalTold: false,
    isTwin: false,
  };
}

/** Ends the sockets that carry nothing now. */
export function idleSocketsEnd({ agent }: Site): void {
  for (const sockets of Object.values(agent.freeSockets)) {
    for (const socket of sockets ?? []) socket.destroy();
  }
}

/** @returns scheme, host, port and path prefix without a trailing slash, or null when it cannot be a member's base URL */
export function normalUrl(address: string): string | null {
  if (address.length > 2048 || !URL.canParse(address)) return null;
  const { protocol, origin, pathname, username, password, search, hash } = new URL(address);
  if (protocol !== 'http:' && protocol !== 'https:') return null;
  if (`${username}${password}${search}${hash}` !== '') return null;
  return origin + pathname.replace(/\/+$/, '');
}
