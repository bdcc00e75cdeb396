import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Cluster, ClusterNode } from '../chaos/cluster/port.ts';
import { quantile } from '../chaos/checkers/quantile.ts';
import { evidenceOf } from '../chaos/faults/fault.ts';
import type { Fault } from '../chaos/faults/fault.ts';
import type { LatticeEvent, LinkState } from '../node/protocol/events.ts';
import type { NodeId } from '../node/protocol/ids.ts';
import { Facts, unseenMs } from './failover-facts.ts';
import { renderCurves, renderRounds } from './failover-report.ts';
import { isSteady, playRound } from './failover-rounds.ts';
import type { Round } from './failover-rounds.ts';
import { Watches } from './failover-watch.ts';

describe('quantiles', () => {
  it.each([
    [[3, 1, 2], 0.5, 2],
    [[1, 2, 3, 4], 0.5, 2],
    [Array.from({ length: 100 }, (_, i) => i + 1), 0.99, 99],
    [[7], 0.99, 7],
  ])('number %# is one that was measured', (values, share, wanted) => {
    expect(quantile(values, share)).toBe(wanted);
  });

  it('are not made up where nothing was measured', () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });
});

describe('how long a write stayed unseen', () => {
  const fact = { key: 'k', writer: 'a', ackedAt: 100 };

  it('is told by the node that saw it last, and goes on where one has not', () => {
    expect(
      unseenMs(
        {
          ...fact,
          seenAt: new Map([
            ['b', 105],
            ['c', 130],
          ]),
        },
        900,
      ),
    ).toBe(30);
    expect(
      unseenMs(
        {
          ...fact,
          seenAt: new Map([
            ['b', 105],
            ['c', null],
          ]),
        },
        900,
      ),
    ).toBe(800);
  });

  it('is nothing where it was read before its acknowledgement came, or by nobody', () => {
    expect(unseenMs({ ...fact, seenAt: new Map([['b', 99]]) }, 900)).toBe(0);
    expect(unseenMs({ ...fact, seenAt: new Map() }, 900)).toBe(0);
  });
});

describe('the plot', () => {
  it('has a curve for each measure and an upright for each budget', () => {
    const svg = renderCurves('T', [
      { name: 'quick', times: [10, 20, 40], budgetMs: 100 },
      { name: 'slow', times: [900], budgetMs: 1000 },
    ]);
    expect(svg.match(/stroke-dasharray/g)).toHaveLength(2);
    expect(svg).toContain('>quick<');
    expect(svg).toContain('>budget 1000 ms<');
    expect(svg).not.toContain('NaN');
  });
});

describe('a round', () => {
  let world: FakeWorld;
  beforeEach(async () => {
    world = await FakeWorld.open();
  });
  afterEach(() => world.close());

  it('times what the nodes say, and finds nothing wrong', async () => {
    const round = await world.play();
    expect(round).toMatchObject({
      kind: 'black-hole',
      victim: 'n0',
      falseSwitches: [],
      unproven: [],
      late: [],
    });
    // As planted in `strike` and `mend`; a loaded machine is later, never earlier.
    expect(round.ms.suspected).toBeGreaterThanOrEqual(19);
    expect(round.ms.detect).toBeGreaterThanOrEqual(39);
    expect(round.ms.flip).toBeGreaterThanOrEqual(59);
    expect(round.ms.decide).toBeCloseTo((round.ms.flip ?? 0) - (round.ms.detect ?? 0), 5);
    expect(round.ms.tail).toBeGreaterThanOrEqual(19);
    expect(round.ms.failback).toBeGreaterThanOrEqual(39);
    expect(round.ms.healed).toBe(Math.max(round.ms.failback ?? 0, round.ms.equal ?? 0));
    expect(renderRounds([round])).toMatch(/black-hole[^\n]*p50[^\n]*\n[^\n]*first suspicion/);
  });

  it('tells of a bystander that changed its mode', async () => {
    world.flickers = true;
    const round = await world.play();
    expect(round.falseSwitches).toEqual([expect.stringMatching(/^n1 P2P → HTTP after \d+ ms \(planted\)$/)]);
  });

  it('tells of a fault that did not bite', async () => {
    world.bites = false;
    expect((await world.play()).unproven).toEqual(['it bites']);
  });
});

/** Three nodes that say what they are told to, and show each other's writes at once; `n0` is struck. */
class FakeWorld {
  readonly nodes: readonly FakeNode[] = [0, 1, 2].map((i) => new FakeNode(i, (key) => this.#written(key)));
  flickers = false;
  bites = true;
  readonly #ending = new AbortController();
  #count = 0;

  static async open(): Promise<FakeWorld> {
    const world = new FakeWorld();
    await Promise.all(world.nodes.map((node) => node.listen()));
    return world;
  }

  async play(): Promise<Round> {
    const nodes = this.nodes.map((node) => node.asClusterNode());
    const [victim] = nodes;
    if (victim === undefined) throw new RangeError('no node');
    const watches = new Watches(nodes, this.#ending.signal);
    const listening = watches.listen();
    const facts = new Facts(nodes, watches, { everyMs: 5, apiToken: null });
    try {
      expect(await watches.until(() => isSteady(watches.all), 5_000)).toBe(true);
      const cluster = { fault: () => this.#fault() } as unknown as Cluster;
      return await playRound(
        { cluster, watches, facts },
        { kind: 'black-hole', round: 1, victim, thorough: true },
      );
    } finally {
      facts.close();
      this.#ending.abort();
      await listening;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  #written(key: string): void {
    this.#count += 1;
    for (const node of this.nodes) node.show(key, this.#count);
  }

  #fault(): Fault {
    const nothing = { count: 1, bytes: 1 };
    return {
      name: 'partition',
      means: 'by telling the nodes what to say',
      plan: () => [],
      inject: async () => {
        const beganAt = Date.now();
        void this.#strike();
        return { beganAt, completeAt: beganAt };
      },
      evidence: async () => evidenceOf([{ claim: 'it bites', holds: this.bites }], nothing),
      lift: async () => {
        const liftedAt = Date.now();
        void this.#mend();
        return liftedAt;
      },
      heal: async () => evidenceOf([{ claim: 'it is gone', holds: true }], nothing),
    };
  }

  async #strike(): Promise<void> {
    const [victim, bystander] = this.nodes;
    await later(20);
    this.#links('alive', 'suspect');
    await later(20);
    this.#links('suspect', 'dead');
    await later(20);
    victim?.say({ type: 'mode', from: 'P2P', to: 'HTTP', reason: 'planted' });
    if (!this.flickers) return;
    bystander?.say({ type: 'mode', from: 'P2P', to: 'HTTP', reason: 'planted' });
  }

  async #mend(): Promise<void> {
    const [victim, bystander] = this.nodes;
    await later(20);
    this.#links('dead', 'alive');
    await later(20);
    victim?.say({ type: 'mode', from: 'HTTP', to: 'P2P', reason: 'planted' });
    // The snapshot's word, so that it is no second change.
    if (this.flickers) bystander?.greet();
  }

  #links(from: LinkState, to: LinkState): void {
    for (const a of this.nodes)
      for (const b of this.nodes)
        if (a !== b && (a.name === 'n0' || b.name === 'n0'))
          a.say({ type: 'peer', peer: b.name as NodeId, lung: 'p2p', from, to, reason: 'planted' });
  }
}

class FakeNode {
  readonly name: string;
  readonly #wrote: (key: string) => void;
  readonly #keys = new Set<string>();
  readonly #streams = new Set<http.ServerResponse>();
  readonly #server = http.createServer((request, response) => this.#answer(request, response));
  #root = '0'.repeat(64);
  #events = 0;

  constructor(i: number, wrote: (key: string) => void) {
    this.name = `n${i}`;
    this.#wrote = wrote;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  asClusterNode(): ClusterNode {
    const { port } = this.#server.address() as AddressInfo;
    return { name: this.name, url: `http://127.0.0.1:${port}`, state: 'running' } as unknown as ClusterNode;
  }

  show(key: string, count: number): void {
    this.#keys.add(key);
    this.#root = String(count).padStart(64, '0');
    this.say({ type: 'root', root: this.#root as never, size: count, cause: 'gossip' });
  }

  say(event: LatticeEvent): void {
    this.#events += 1;
    const data = JSON.stringify({ id: this.#events, at: Date.now(), event });
    for (const stream of this.#streams) stream.write(`event: ${event.type}\ndata: ${data}\n\n`);
  }

  greet(): void {
    for (const stream of this.#streams)
      stream.write(`event: snapshot\ndata: ${JSON.stringify(this.#status())}\n\n`);
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const key = decodeURIComponent(/^\/api\/lattice\/state\/(.+)$/.exec(request.url ?? '')?.[1] ?? '');
    if (request.url === '/api/lattice/events') {
      this.#streams.add(response);
      response.once('close', () => this.#streams.delete(response));
      response.writeHead(200);
      this.greet();
    } else if (request.method === 'PUT') {
      this.#wrote(key);
      response.writeHead(201).end('{}');
    } else {
      response.writeHead(this.#keys.has(key) ? 200 : 404).end('{}');
    }
  }

  #status(): unknown {
    const link = { state: 'alive', last_heard_ms: 1, rtt_ms: 1 };
    const others = ['n0', 'n1', 'n2'].filter((name) => name !== this.name);
    return {
      success: true,
      name: this.name,
      slot: null,
      enabled: true,
      started: true,
      libp2p_available: true,
      error: null,
      http_sync_enabled: true,
      sync_mode: 'P2P',
      forced_mode: null,
      mode_since: 1,
      last_switch: null,
      heartbeat_active: true,
      peer_id: this.name,
      topic: 't',
      listen_multiaddrs: [],
      bootstrap_peers: [],
      peer_count: 2,
      has_peers: true,
      merkle_root: this.#root,
      state_size: 0,
      peers: others.map((peer_id) => ({ peer_id, url: null, p2p: link, http: link, merkle_root: null })),
    };
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
