/**
 * Which of the addresses that a peer tells of itself are worth dialling. A peer behind 0.0.0.0 lists all its
 * interfaces, its own loopback among them, which from here is somebody else: ourselves.
 */
import { parseAddress } from './addresses.ts';

/**
 * @param told multiaddrs the peer says it listens on
 * @param seenAt multiaddr at which its connection is seen here; its host comes first, and only a peer seen on
 *   loopback is believed to be there
 * @returns at most `max` places, best first
 */
export function dialablePlaces(told: readonly string[], seenAt: string, max: number): readonly string[] {
  const host = hostOf(seenAt);
  return told
    .map((text) => parseAddress(text))
    .filter((parsed) => parsed !== null)
    .map((parsed) => parsed.place)
    .filter((place) => !isUnspecified(place) && isLoopback(place) === isLoopback(seenAt))
    .sort((a, b) => Number(hostOf(b) === host) - Number(hostOf(a) === host))
    .slice(0, max);
}

/** The address or name in a multiaddr. */
export function hostOf(multiaddr: string): string {
  return multiaddr.split('/')[2] ?? multiaddr;
}

/** @param address a multiaddr, a base URL, or a host alone */
export function isLoopback(address: string): boolean {
  const host = hostOf(address);
  return /^(?:127\.|localhost(?:$|:)|::1$|\[::1\])/.test(host);
}

function isUnspecified(multiaddr: string): boolean {
  const host = hostOf(multiaddr);
  return host === '0.0.0.0' || host === '::';
}
