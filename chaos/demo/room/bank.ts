/**
 * The bank on the lattice: accounts that were issued money once, and transfers between them, each an immutable fact under a
 * key of its own. One client per node writes them, and goes to another node when its own does not answer, as a bank's
 * application would; a transfer is sent until it is acknowledged.
 *
 * The books of a node are made of that node's own entries and of nothing else: read in key order from the first transfer
 * that it lacks. Money moves between accounts, so every node's balances must add up to what was issued.
 */
import { z } from 'zod';
import type { Books, NodeBooks, RoomEvent, Transfer } from '../../../dashboard/room/model.ts';
import { LatticeClient } from '../../cluster/client.ts';
import type { Cluster, ClusterNode } from '../../cluster/port.ts';
import { pause } from '../patience.ts';

const ACCOUNTS = [
  'Aurora',
  'Bonfim',
  'Cerrado',
  'Diamantina',
  'Ipê',
  'Jequitibá',
  'Mantiqueira',
  'Serra',
] as const;
/** In cents: R$ 10,000,000.00 each. */
const ISSUED_EACH = 1_000_000_000;
const AMOUNT_MAX = 25_000_000;

/**
 * The bank works in beats: once a second each client sends some transfers, then all are quiet. Between two beats everything
 * has arrived, so roots that are equal are seen to be equal; with writes spread evenly there would always be one on its way.
 */
const BEAT_MS = 1000;
/** Within each second, so that a second's count is one beat. */
const BEAT_AT_MS = 150;
/** Twenty a second on five nodes: lively, and a small share of two slow cores. */
const TRANSFERS_PER_BEAT = 4;
/** When the beat has arrived everywhere. */
const READ_AT_MS = 850;
/** A healthy node answers in some milliseconds; a client that waits longer asks another node. */
const ANSWER_TIMEOUT_MS = 2000;
/** How long a client stays away from a node that did not answer; twice as long each time, up to the most. */
const SHUN_MS = 2000;
const SHUN_MOST_MS = 30_000;
/** Where no node answers. */
const TRY_AGAIN_MS = 250;
const RECENT = 12;
/** A transfer counts as missing on a node once it was acknowledged elsewhere this long ago: before, it is on its way. */
const LATE_MS = 2000;

const ACCOUNT_PREFIX = 'bank/account/';
const TRANSFER_PREFIX = 'bank/transfer/';

const TransferFact = z.object({
  from: z
    .number()
    .int()
    .min(0)
    .max(ACCOUNTS.length - 1),
  to: z
    .number()
    .int()
    .min(0)
    .max(ACCOUNTS.length - 1),
  amount: z.number().int().positive(),
});
type TransferFact = z.infer<typeof TransferFact>;
const AccountFact = z.object({ issued: z.number().int().nonnegative() });

interface Acknowledged {
  readonly fact: TransferFact;
  readonly at: number;
  /** the node that acknowledged it: the only one that has it for certain (w=1) */
  readonly via: ClusterNode;
}

/** What an audit found: every entry of every node, read anew. */
export interface Audit {
  readonly at: number;
  readonly issued: number;
  /** by nodes that run: what another acknowledged right before it was struck down may be with it alone until it is back */
  readonly acknowledged: number;
  readonly nodes: readonly NodeBooks[];
  /** acknowledged transfers that are missing or other than acknowledged, on any of these nodes */
  readonly wrong: number;
}

export class Bank {
  readonly #cluster: Cluster;
  readonly #apply: (event: RoomEvent) => void;
  readonly #clients: ReadonlyMap<string, LatticeClient>;
  /** by number: what was acknowledged, and must be everywhere in the end */
  readonly #ledger = new Map<number, Acknowledged>();
  readonly #readers: ReadonlyMap<string, Reader>;
  readonly #shunned = new Map<string, { readonly until: number; readonly forMs: number }>();
  #recent: readonly Transfer[] = [];
  #lastId = 0;

  constructor(cluster: Cluster, apply: (event: RoomEvent) => void) {
    this.#cluster = cluster;
    this.#apply = apply;
    this.#clients = new Map(
      cluster.nodes.map((node) => [
        node.name,
        new LatticeClient(() => node.url, cluster.apiToken, { timeoutMs: ANSWER_TIMEOUT_MS }),
      ]),
    );
    this.#readers = new Map(cluster.nodes.map((node) => [node.name, new Reader()]));
  }

  get acknowledged(): number {
    return this.#ledger.size;
  }

  /** Resolves when the signal has ended every client. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#issue(signal);
    await Promise.all([
      ...this.#cluster.nodes.map((home) => this.#transferAgainAndAgain(home, signal)),
      this.#readAgainAndAgain(signal),
    ]);
    for (const client of this.#clients.values()) client.close();
  }

  /** A node that was started again may have other entries than before: its books are read from the beginning. */
  forget(node: string): void {
    this.#readers.get(node)?.clear();
    this.#shunned.delete(node);
  }

  /** Reads everything anew from these nodes and holds it against the ledger as it was before the reading. */
  async audit(nodes: readonly ClusterNode[]): Promise<Audit> {
    const ledger = new Map(this.#ledger);
    let wrong = 0;
    const books = await Promise.all(
      nodes.map(async (node) => {
        const reader = new Reader();
        await reader.read(this.#client(node));
        for (const [id, { fact, via }] of ledger)
          if (via.state === 'running' ? !reader.holds(id, fact) : reader.contradicts(id, fact)) wrong += 1;
        return reader.books(node.name, ledger, Date.now());
      }),
    );
    const acknowledged = [...ledger.values()].filter(({ via }) => via.state === 'running').length;
    return { at: Date.now(), issued: issuedInAll(), acknowledged, nodes: books, wrong };
  }

  async #issue(signal: AbortSignal): Promise<void> {
    for (const account of ACCOUNTS) {
      while (!signal.aborted) {
        const [node] = this.#cluster.nodes.filter(({ state }) => state === 'running');
        if (node !== undefined) {
          const { outcome } = await this.#client(node).put(`${ACCOUNT_PREFIX}${account}`, {
            issued: ISSUED_EACH,
          });
          if (outcome === 'ok') break;
        }
        await pause(TRY_AGAIN_MS, signal);
      }
    }
  }

  async #transferAgainAndAgain(home: ClusterNode, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(untilNext(BEAT_AT_MS), signal);
      for (let sent = 0; sent < TRANSFERS_PER_BEAT && !signal.aborted; sent += 1)
        await this.#transfer(home, signal);
    }
  }

  async #transfer(home: ClusterNode, signal: AbortSignal): Promise<void> {
    this.#lastId += 1;
    const id = this.#lastId;
    const fact = drawTransfer();
    for (let retries = 0; !signal.aborted; retries += 1) {
      const node = this.#choose(home, retries);
      const { outcome } = await this.#client(node).put(keyOf(id), fact);
      const at = Date.now();
      const isAcknowledged = outcome === 'ok';
      this.#apply({
        type: 'write',
        at,
        node: node.name,
        outcome: isAcknowledged ? 'acknowledged' : 'failed',
      });
      if (isAcknowledged) {
        this.#shunned.delete(node.name);
        this.#ledger.set(id, { fact, at, via: node });
        this.#recent = [{ id, ...fact, via: node.name, retries }, ...this.#recent].slice(0, RECENT);
        return;
      }
      const forMs = Math.min(SHUN_MOST_MS, 2 * (this.#shunned.get(node.name)?.forMs ?? SHUN_MS / 2));
      this.#shunned.set(node.name, { until: at + forMs, forMs });
      if (retries >= this.#cluster.nodes.length) await pause(TRY_AGAIN_MS, signal);
    }
  }

  /** Its own node unless that one was silent lately; then the next in the round that was not. */
  #choose(home: ClusterNode, retries: number): ClusterNode {
    const { nodes } = this.#cluster;
    const start = nodes.indexOf(home) + retries;
    const round = nodes.map((_, step) => nodes[(start + step) % nodes.length] ?? home);
    const now = Date.now();
    return round.find((node) => (this.#shunned.get(node.name)?.until ?? 0) <= now) ?? round[0] ?? home;
  }

  async #readAgainAndAgain(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(untilNext(READ_AT_MS), signal);
      await Promise.all(
        this.#cluster.nodes.map(async (node) => {
          if (node.state !== 'running') return;
          await this.#readers
            .get(node.name)
            ?.read(this.#client(node))
            .catch(() => undefined);
        }),
      );
      this.#apply({ type: 'books', at: Date.now(), books: this.#books() });
    }
  }

  #books(): Books {
    return {
      accounts: ACCOUNTS,
      issued: issuedInAll(),
      acknowledged: this.#ledger.size,
      nodes: [...this.#readers].map(([name, reader]) =>
        reader.books(name, this.#ledger, Date.now() - LATE_MS),
      ),
      recent: this.#recent,
    };
  }

  #client(node: ClusterNode): LatticeClient {
    const client = this.#clients.get(node.name);
    if (client === undefined) throw new RangeError(`${node.name} is not of this cluster`);
    return client;
  }
}

/** One node's entries of the bank, read again from the first hole. */
class Reader {
  readonly #issued = new Map<string, number>();
  readonly #transfers = new Map<number, TransferFact>();
  /** every transfer up to this one is here */
  #complete = 0;

  clear(): void {
    this.#issued.clear();
    this.#transfers.clear();
    this.#complete = 0;
  }

  holds(id: number, fact: TransferFact): boolean {
    const had = this.#transfers.get(id);
    return had?.from === fact.from && had.to === fact.to && had.amount === fact.amount;
  }

  contradicts(id: number, fact: TransferFact): boolean {
    return this.#transfers.has(id) && !this.holds(id, fact);
  }

  async read(client: LatticeClient): Promise<void> {
    if (this.#issued.size < ACCOUNTS.length) await this.#readAccounts(client);
    await this.#readTransfers(client);
    while (this.#transfers.has(this.#complete + 1)) this.#complete += 1;
  }

  async #readTransfers(client: LatticeClient): Promise<void> {
    for await (const { entries } of client.pages(keyOf(this.#complete))) {
      for (const { key, value } of entries) {
        if (!key.startsWith(TRANSFER_PREFIX)) return;
        const fact = TransferFact.safeParse(value);
        if (fact.success) this.#transfers.set(Number(key.slice(TRANSFER_PREFIX.length)), fact.data);
      }
    }
  }

  async #readAccounts(client: LatticeClient): Promise<void> {
    const { entries } = await client.page(ACCOUNT_PREFIX);
    for (const { key, value } of entries) {
      if (!key.startsWith(ACCOUNT_PREFIX)) return;
      const fact = AccountFact.safeParse(value);
      if (fact.success) this.#issued.set(key.slice(ACCOUNT_PREFIX.length), fact.data.issued);
    }
  }

  /** @param until what was acknowledged later is not missed */
  books(node: string, ledger: ReadonlyMap<number, Acknowledged>, until: number): NodeBooks {
    const balances: number[] = ACCOUNTS.map((account) => this.#issued.get(account) ?? 0);
    for (const { from, to, amount } of this.#transfers.values()) {
      balances[from] = (balances[from] ?? 0) - amount;
      balances[to] = (balances[to] ?? 0) + amount;
    }
    let missing = 0;
    for (const [id, { at }] of ledger) if (at <= until && !this.#transfers.has(id)) missing += 1;
    return {
      node,
      sum: balances.reduce((sum, balance) => sum + balance, 0),
      transfers: this.#transfers.size,
      missing,
      balances,
    };
  }
}

/** @returns ms until the wall clock is next at this part of a second */
function untilNext(ms: number): number {
  return BEAT_MS - ((Date.now() + BEAT_MS - ms) % BEAT_MS);
}

function issuedInAll(): number {
  return ISSUED_EACH * ACCOUNTS.length;
}

function keyOf(id: number): string {
  return `${TRANSFER_PREFIX}${String(id).padStart(8, '0')}`;
}

function drawTransfer(): TransferFact {
  const from = Math.floor(Math.random() * ACCOUNTS.length);
  const to = (from + 1 + Math.floor(Math.random() * (ACCOUNTS.length - 1))) % ACCOUNTS.length;
  return { from, to, amount: 100 + Math.floor(Math.random() * AMOUNT_MAX) };
}
