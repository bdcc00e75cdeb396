/**
 * Which packets a node's network namespace shall drop, as one nftables table: the whole desired state rendered by a pure
 * function, loaded atomically, lifted by deleting the table. Packets are dropped on INPUT: an OUTPUT drop tells the
 * sender, which flatters recovery. The elements carry a time-to-live, so that the kernel lifts the fault by itself when
 * the lab dies, and a counter each, so that every single pair proves that it bit.
 */

/** The only table the lab ever touches; Docker's own rules (its DNS) live in others. */
export const TABLE = 'inet aethel_lab';

/** Everything that comes from this peer and concerns this port, at either end: libp2p may have been dialled either way. */
export interface Drop {
  readonly peer: string;
  readonly port: number;
}

export interface CountedDrop extends Drop {
  readonly packets: number;
  readonly bytes: number;
  /** until the kernel lifts it */
  readonly expiresSeconds: number;
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$)){4}$/;
const TTL_SECONDS_MAX = 3_600;

/** @param ttlSeconds 1–3600. Throws RangeError on anything that is not exactly an address, a port or a number. */
export function renderTable(drops: readonly Drop[], ttlSeconds: number): string {
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > TTL_SECONDS_MAX) {
    throw new RangeError(`time-to-live of ${ttlSeconds} s`);
  }
  const elements = drops.map(({ peer, port }) => {
    if (!IPV4.test(peer)) throw new RangeError(`not an IPv4 address: ${peer}`);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new RangeError(`not a port: ${port}`);
    return `${peer} . ${port} timeout ${ttlSeconds}s`;
  });
  if (elements.length === 0) throw new RangeError('nothing to drop');
  // Adding before deleting makes the deletion safe where there is no table yet; the file takes effect as a whole.
  return `add table ${TABLE}
delete table ${TABLE}
table ${TABLE} {
  set dropped {
    type ipv4_addr . inet_service
    flags timeout
    counter
    elements = { ${elements.join(', ')} }
  }
  chain input {
    type filter hook input priority -10; policy accept;
    ip saddr . tcp dport @dropped drop
    ip saddr . tcp sport @dropped drop
  }
}
`;
}

/** Deletes the table; works whether or not it is there. */
export function renderRemoval(): string {
  return `add table ${TABLE}\ndelete table ${TABLE}\n`;
}

interface ListedElement {
  readonly elem?: {
    readonly val?: { readonly concat?: readonly unknown[] };
    readonly expires?: number;
    readonly counter?: { readonly packets?: number; readonly bytes?: number };
  };
}

interface ListedObject {
  readonly set?: { readonly name?: string; readonly elem?: readonly ListedElement[] };
  readonly rule?: { readonly expr?: readonly unknown[] };
}

/**
 * Reads `nft -j list table` back: the drops in force, and how many rules refer to them.
 *
 * Throws SyntaxError when it is not such a listing.
 */
export function parseTable(json: string): { readonly drops: readonly CountedDrop[]; readonly rules: number } {
  const listing = JSON.parse(json) as { readonly nftables?: readonly ListedObject[] };
  if (!Array.isArray(listing.nftables)) throw new SyntaxError('no nftables listing');
  const objects: readonly ListedObject[] = listing.nftables;
  const elements = objects.flatMap((object) =>
    object.set?.name === 'dropped' ? (object.set.elem ?? []) : [],
  );
  const drops = elements.flatMap(({ elem }) => {
    const [peer, port] = elem?.val?.concat ?? [];
    if (typeof peer !== 'string' || typeof port !== 'number') return [];
    return [
      {
        peer,
        port,
        packets: elem?.counter?.packets ?? 0,
        bytes: elem?.counter?.bytes ?? 0,
        expiresSeconds: elem?.expires ?? 0,
      },
    ];
  });
  return { drops, rules: objects.filter((object) => object.rule !== undefined).length };
}
