/**
 * What a node's network namespace shall not let in, as one nftables table per fault: the whole desired state rendered by
 * a pure function, loaded atomically, lifted by deleting the table. Packets are stopped on INPUT: an OUTPUT drop tells
 * the sender, which flatters recovery. Every rule asks for a lease first, a set whose elements the kernel lets expire, so
 * that the fault lifts itself when nobody renews it because the lab is dead. What it stopped is counted, per pair.
 * Only a delay lets everything pass: it leads what the node dials to a proxy in the same namespace (delay-proxy.pl).
 */

/** Every table of the lab begins so, and nothing else is ever touched; Docker's own rules (its DNS) live in others. */
export const TABLE_PREFIX = 'aethel_lab';

/** Everything that comes from this peer and concerns this port, at either end: libp2p may have been dialled either way. */
export interface Pair {
  readonly peer: string;
  readonly port: number;
}

export type Block =
  | { readonly kind: 'pairs'; readonly how: 'drop' | 'reset'; readonly pairs: readonly Pair[] }
  | { readonly kind: 'loss'; readonly pairs: readonly Pair[]; readonly percent: number }
  | { readonly kind: 'rate'; readonly pairs: readonly Pair[]; readonly kBps: number }
  | { readonly kind: 'delay'; readonly pairs: readonly DelayedPair[] }
  | { readonly kind: 'dns' };

/** A way on which what the node dials passes through a proxy in its own namespace. */
export interface DelayedPair extends Pair {
  /** where the proxy listens, on 127.0.0.1 */
  readonly listen: number;
  /** of each way */
  readonly ms: number;
  readonly jitterMs: number;
}

interface Counted {
  readonly packets: number;
  readonly bytes: number;
}

/** A table as the kernel has it. */
export interface Listing {
  /** until the rules let everything pass; 0: they do already */
  readonly leaseSeconds: number;
  readonly pairs: readonly (Pair & Counted)[];
  /** per chain the counters of its rules, in order; null for a rule that counts nothing itself */
  readonly chains: ReadonlyMap<string, readonly (Counted | null)[]>;
}

/** Docker's resolver, in every container on a network of its own. */
const RESOLVER = '127.0.0.11';
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$)){4}$/;
const NAME = /^aethel_lab_[a-z0-9_]{1,32}$/;
/** The kernel's bucket holds what comes in a second, and so much more: that may come at once after a pause. */
const BURST_KBYTES = 16;
const LEASE_SECONDS_MAX = 3_600;
/** What the node's own processes run as; the lab's, the proxies among them, are root. */
const NODE_UID = 1000;

/** @param leaseSeconds 1–3600. Throws RangeError on anything that is not exactly an address, a port or a number. */
export function renderTable(table: string, block: Block, leaseSeconds: number): string {
  // Adding before deleting makes the deletion safe where there is no table yet; the file takes effect as a whole.
  return `${renderRemoval(table)}table inet ${table} {
  set lease {
    type inet_proto
    flags timeout
    elements = { ${leases(leaseSeconds)} }
  }
${renderBlock(block)}}
`;
}

/** Fails, on purpose, where the lease has run out: then the fault was not in force for a while. */
export function renderRenewal(table: string, leaseSeconds: number): string {
  return `delete element inet ${named(table)} lease { tcp, udp }
add element inet ${table} lease { ${leases(leaseSeconds)} }
`;
}

/** What a rate lets through at once after a pause, in bytes. */
export function bucketBytes(kBps: number): number {
  return (kBps + BURST_KBYTES) * 1024;
}

/** Deletes the table; works whether or not it is there. */
export function renderRemoval(table: string): string {
  return `add table inet ${named(table)}\ndelete table inet ${table}\n`;
}

function renderBlock(block: Block): string {
  switch (block.kind) {
    case 'pairs': {
      // A reset that the other end sends must come in, or only one of the two would be told.
      const [only, verdict] =
        block.how === 'drop' ? ['', 'drop'] : ['tcp flags & rst == 0 ', 'reject with tcp reset'];
      return `  set struck {
    type ipv4_addr . inet_service
    counter
    elements = { ${elements(block.pairs.map(pair))} }
  }
  chain input {
    type filter hook input priority -10; policy accept;
    meta l4proto @lease ${only}ip saddr . tcp dport @struck ${verdict}
    meta l4proto @lease ${only}ip saddr . tcp sport @struck ${verdict}
  }
`;
    }
    case 'loss':
      return `${renderPairs(block.pairs)}${renderChain('input', 'saddr', 'lossy')}  chain lossy {
    counter
    numgen random mod 100 < ${whole(block.percent, 99)} counter drop
  }
`;
    case 'rate': {
      // Both ways have their own: what is too much is dropped, and TCP finds the rate that is left.
      const limit = `limit rate over ${whole(block.kBps, 1_000_000)} kbytes/second burst ${BURST_KBYTES} kbytes counter drop`;
      return `${renderPairs(block.pairs)}${renderChain('input', 'saddr', 'into')}${renderChain('output', 'daddr', 'outof')}  chain into {
    ${limit}
  }
  chain outof {
    ${limit}
  }
`;
    }
    case 'delay': {
      const detours = block.pairs.map(
        ({ peer, port: to, listen }) =>
          `    meta l4proto @lease meta skuid ${NODE_UID} ip daddr ${address(peer)} tcp dport ${port(to)} counter redirect to :${port(listen)}\n`,
      );
      // What was dialled before passes no proxy: it is reset, and dialled again. What is led astray is no longer for the peer.
      return `${renderPairs(block.pairs)}  chain detour {
    type nat hook output priority -100; policy accept;
${detours.join('')}  }
  chain output {
    type filter hook output priority -10; policy accept;
    meta l4proto @lease meta skuid ${NODE_UID} ip daddr . tcp dport @struck counter reject with tcp reset
  }
`;
    }
    case 'dns':
      return `  chain input {
    type filter hook input priority -10; policy accept;
    meta l4proto @lease ip saddr ${RESOLVER} counter drop
  }
`;
  }
}

function renderPairs(pairs: readonly Pair[]): string {
  return `  set struck {
    type ipv4_addr . inet_service
    elements = { ${elements(pairs.map(pair))} }
  }
`;
}

/** Everything between this node and the others passes through the chain `to`. */
function renderChain(hook: 'input' | 'output', other: 'saddr' | 'daddr', to: string): string {
  return `  chain ${hook} {
    type filter hook ${hook} priority -10; policy accept;
    meta l4proto @lease ip ${other} . tcp dport @struck goto ${to}
    meta l4proto @lease ip ${other} . tcp sport @struck goto ${to}
  }
`;
}

function whole(number: number, max: number): number {
  if (!Number.isInteger(number) || number < 1 || number > max)
    throw new RangeError(`${number} is not within 1 to ${max}`);
  return number;
}

function leases(seconds: number): string {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > LEASE_SECONDS_MAX)
    throw new RangeError(`a lease of ${seconds} s`);
  return `tcp timeout ${seconds}s, udp timeout ${seconds}s`;
}

function named(table: string): string {
  if (!NAME.test(table)) throw new RangeError(`not a table of the lab: ${table}`);
  return table;
}

function pair({ peer, port: number }: Pair): string {
  return `${address(peer)} . ${port(number)}`;
}

function address(text: string): string {
  if (!IPV4.test(text)) throw new RangeError(`not an IPv4 address: ${text}`);
  return text;
}

function port(number: number): string {
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw new RangeError(`not a port: ${number}`);
  return String(number);
}

function elements(list: readonly string[]): string {
  if (list.length === 0) throw new RangeError('nothing to stop');
  return list.join(', ');
}

/** With a counter or a timeout an element is wrapped, without one it is its value. */
interface ListedElement {
  readonly concat?: readonly unknown[];
  readonly elem?: {
    readonly val?: { readonly concat?: readonly unknown[] } | number | string;
    readonly expires?: number;
    readonly counter?: { readonly packets?: number; readonly bytes?: number };
  };
}

interface ListedObject {
  readonly set?: { readonly name?: string; readonly elem?: readonly ListedElement[] };
  readonly rule?: {
    readonly chain?: string;
    readonly expr?: readonly { readonly counter?: { readonly packets?: number; readonly bytes?: number } }[];
  };
}

/** Reads `nft -j list table` back. Throws SyntaxError when it is not such a listing. */
export function parseTable(json: string): Listing {
  const listing = JSON.parse(json) as { readonly nftables?: readonly ListedObject[] };
  if (!Array.isArray(listing.nftables)) throw new SyntaxError('no nftables listing');
  const objects: readonly ListedObject[] = listing.nftables;
  const elementsOf = (name: string): readonly ListedElement[] =>
    objects.flatMap(({ set }) => (set?.name === name ? (set.elem ?? []) : []));
  const expiries = elementsOf('lease').map(({ elem }) => elem?.expires ?? 0);
  const chains = new Map<string, (Counted | null)[]>();
  for (const { rule } of objects) {
    if (rule?.chain === undefined) continue;
    const counter = rule.expr?.find((part) => part.counter !== undefined)?.counter;
    const counters = chains.get(rule.chain) ?? [];
    counters.push(counter === undefined ? null : countedOf(counter));
    chains.set(rule.chain, counters);
  }
  return {
    leaseSeconds: expiries.length === 0 ? 0 : Math.min(...expiries),
    pairs: elementsOf('struck').flatMap(({ elem, concat = [] }) => {
      const [peer, number] = typeof elem?.val === 'object' ? (elem.val.concat ?? []) : concat;
      if (typeof peer !== 'string' || typeof number !== 'number') return [];
      return [{ peer, port: number, ...countedOf(elem?.counter ?? {}) }];
    }),
    chains,
  };
}

function countedOf({
  packets = 0,
  bytes = 0,
}: {
  readonly packets?: number;
  readonly bytes?: number;
}): Counted {
  return { packets, bytes };
}
