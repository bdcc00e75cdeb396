/**
 * The control room behind the page: watches a cluster, lets the bank work on it, and does what the page asks. Whatever
 * happens passes through `apply`: the room's own view and the pages' are made of the same events.
 */
import type { Command } from '../../../dashboard/room/commands.ts';
import type { ConflictView, RoomEvent, RoomView } from '../../../dashboard/room/model.ts';
import { emptyRoom, reduceRoom } from '../../../dashboard/room/reduce.ts';
import type { StatusSnapshot } from '../../../dashboard/view.ts';
import type { Cluster, ClusterNode } from '../../cluster/port.ts';
import { Clients } from '../clients.ts';
import { pause, until } from '../patience.ts';
import { watchCluster } from '../watch.ts';
import { Bank } from './bank.ts';
import { gatherEvidence } from './evidence.ts';
import { Harm } from './harm.ts';
import { Recoveries } from './recovery.ts';
import { RoomRefusal } from './server.ts';
import { PITCH_PACE, Tour } from './tour.ts';
import type { TourPace } from './tour.ts';

/** How often the pages hear that the room is alive, and time passes where nothing else happens. */
const TICK_MS = 500;
const LOOK_AFTER_MS = 1500;
/** In containers a look is a command in each of them, which costs the machine more than a counter. */
const LOOK_AT_FAULTS_MS = { processes: 2000, containers: 6000 } as const;
/** Two writes at once are usually, not always, unknown to each other. */
const CONFLICT_TRIES = 20;
const SPREAD_BUDGET_MS = 5000;
const LOOK_EVERY_MS = 50;
/** What happened in a session, for its evidence. */
const FACTS_KEPT = 20_000;

export interface RoomOptions {
  readonly pace?: TourPace;
}

export class Room {
  readonly #cluster: Cluster;
  readonly #clients: Clients;
  readonly #bank: Bank;
  readonly #harm: Harm;
  readonly #recoveries: Recoveries;
  readonly #pace: TourPace;
  readonly #published: (event: RoomEvent) => void;
  readonly #lastStatus = new Map<string, string>();
  readonly #facts: RoomEvent[] = [];
  #view: RoomView;
  #tour: { readonly ended: Promise<void>; readonly stop: AbortController } | null = null;
  #conflicts = 0;

  /** @param published told of every event after the view has changed with it */
  constructor(cluster: Cluster, published: (event: RoomEvent) => void, options: RoomOptions = {}) {
    this.#cluster = cluster;
    this.#published = published;
    this.#pace = options.pace ?? PITCH_PACE;
    this.#view = emptyRoom(Date.now(), cluster.world);
    this.#clients = new Clients(cluster);
    this.#bank = new Bank(cluster, this.apply);
    this.#recoveries = new Recoveries(cluster, this.#clients, this.apply);
    this.#harm = new Harm(cluster, {
      apply: this.apply,
      disturbed: (fault, after, from) => this.#recoveries.begin(fault, after, from),
    });
  }

  get view(): RoomView {
    return this.#view;
  }

  readonly apply = (event: RoomEvent): void => {
    const slim = event.type === 'status' ? { ...event, status: slimStatus(event.status) } : event;
    if (slim.type === 'status') {
      const text = JSON.stringify(slim.status);
      const isUp = this.#view.cluster.nodes.find(({ name }) => name === slim.node)?.said !== null;
      if (isUp && this.#lastStatus.get(slim.node) === text) return;
      this.#lastStatus.set(slim.node, text);
    }
    if (slim.type === 'reach' && slim.reach === 'up') this.#bank.forget(slim.node);
    this.#view = reduceRoom(this.#view, slim);
    if (FACTUAL.has(slim.type)) {
      this.#facts.push(slim);
      if (this.#facts.length > FACTS_KEPT) this.#facts.shift();
    }
    this.#published(slim);
  };

  /** Resolves when the signal has ended everything that goes on here. */
  async run(signal: AbortSignal): Promise<void> {
    const { nodes } = this.#cluster;
    this.apply({ type: 'fact', at: Date.now(), fact: { type: 'started', nodes: nodes.length } });
    await Promise.all([
      watchCluster({ cluster: this.#cluster, clients: this.#clients, apply: this.apply }, signal),
      this.#bank.run(signal),
      this.#recoveries.watch(signal),
      this.#tick(signal),
      this.#lookAtFaults(signal),
    ]);
    this.#tour?.stop.abort();
    await this.#tour?.ended;
    this.#clients.close();
  }

  async execute(command: Command): Promise<void> {
    switch (command.do) {
      case 'cut':
        await this.#harm.cut(command.nodes, command.lung);
        return;
      case 'partition':
        await this.#harm.begin({ kind: 'partition', groups: command.groups, lung: command.lung });
        return;
      case 'kill':
      case 'freeze':
        await this.#harm.begin({ kind: command.do, node: command.node });
        return;
      case 'restart':
        return this.#harm.restart(command.node);
      case 'heal':
        return this.#harm.end(command.fault);
      case 'heal-all':
        return this.#harm.endAll();
      case 'write':
        return this.#write(command.node, command.key, command.value);
      case 'conflict':
        return this.#conflict();
      case 'settle':
        return this.#settle();
      case 'tour':
        return this.#startTour();
      case 'stop-tour':
        this.#tour?.stop.abort();
        return;
    }
  }

  evidence(): Promise<unknown> {
    return gatherEvidence({
      cluster: this.#cluster,
      clients: this.#clients,
      bank: this.#bank,
      view: this.#view,
      facts: this.#facts,
      faults: this.#harm.evidence,
    });
  }

  async #write(name: string, key: string, value: string): Promise<void> {
    const node = this.#running().find((one) => one.name === name);
    if (node === undefined) throw new RoomRefusal(`${name} does not run.`);
    const { outcome } = await this.#clients.to(node).put(key, value);
    this.apply({ type: 'fact', at: Date.now(), fact: { type: 'written', node: name, key, outcome } });
  }

  /** Two nodes take a write to one key in the same instant, until neither of them knew of the other. */
  async #conflict(): Promise<void> {
    const [first, ...others] = this.#running();
    const last = others.at(-1);
    if (first === undefined || last === undefined) throw new RoomRefusal('Two running nodes are needed.');
    for (let tries = 0; tries < CONFLICT_TRIES; tries += 1) {
      this.#conflicts += 1;
      const key = `notice/${this.#conflicts}`;
      const writes = await Promise.all(
        [first, last].map((node) => this.#clients.to(node).put(key, `as written on ${node.name}`)),
      );
      if (writes.some(({ outcome }) => outcome !== 'ok')) continue;
      const took = await until(async () => (await this.#readConflict(key)) !== null, {
        budgetMs: SPREAD_BUDGET_MS / CONFLICT_TRIES,
        everyMs: LOOK_EVERY_MS,
      });
      if (took === null) continue;
      await this.#showConflict(key, (conflict) => conflict.agreeing.length === this.#running().length);
      return;
    }
    throw new RoomRefusal('The writes came one after the other each time; try again.');
  }

  /** A write on a node that knows both replaces both. */
  async #settle(): Promise<void> {
    const { conflict } = this.#view;
    const [node] = this.#running();
    if (conflict === null || conflict.settled || node === undefined)
      throw new RoomRefusal('There is no conflict to settle.');
    const { outcome } = await this.#clients.to(node).put(conflict.key, `settled on ${node.name}`);
    if (outcome !== 'ok') throw new RoomRefusal(`${node.name} did not acknowledge the write.`);
    await this.#showConflict(
      conflict.key,
      (shown) => shown.siblings.length === 0 && shown.agreeing.length === this.#running().length,
    );
    this.apply({ type: 'fact', at: Date.now(), fact: { type: 'settled', key: conflict.key } });
  }

  /** Shows what the nodes say of the key, until they say what is expected. */
  async #showConflict(key: string, isAsExpected: (conflict: ConflictView) => boolean): Promise<void> {
    await until(
      async () => {
        const conflict = await this.#readConflict(key, true);
        if (conflict === null) return false;
        this.apply({ type: 'conflict', at: Date.now(), conflict });
        return isAsExpected(conflict);
      },
      { budgetMs: SPREAD_BUDGET_MS, everyMs: LOOK_EVERY_MS },
    );
  }

  /** @returns null while no node shows siblings, unless `also` those without are wanted */
  async #readConflict(key: string, also = false): Promise<ConflictView | null> {
    const shown = await Promise.all(
      this.#running().map(async (node) => {
        const entry = await this.#clients
          .to(node)
          .get(key)
          .catch(() => null);
        return entry === null ? null : { name: node.name, entry };
      }),
    );
    const first = shown.find((one) => one !== null && (also || one.entry.conflict)) ?? null;
    if (first === null) return null;
    const text = (entry: typeof first.entry): string =>
      JSON.stringify([entry.version, entry.siblings.map(({ version }) => version)]);
    return {
      key,
      winner: String(first.entry.value),
      siblings: first.entry.siblings.map(({ value }) => String(value)),
      agreeing: shown.flatMap((one) =>
        one !== null && text(one.entry) === text(first.entry) ? [one.name] : [],
      ),
      settled: also && first.entry.siblings.length === 0,
    };
  }

  async #startTour(): Promise<void> {
    if (this.#tour !== null) throw new RoomRefusal('The tour is under way.');
    await this.#harm.endAll();
    const stop = new AbortController();
    const modules = {
      cluster: this.#cluster,
      bank: this.#bank,
      harm: this.#harm,
      recoveries: this.#recoveries,
      view: () => this.#view,
      apply: this.apply,
    };
    const ended = new Tour(modules, this.#pace)
      .play(stop.signal)
      .catch((error: unknown) => this.#trouble(error))
      .finally(() => (this.#tour = null));
    this.#tour = { ended, stop };
  }

  async #tick(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.apply({ type: 'clock', at: Date.now() });
      await pause(TICK_MS, signal);
    }
  }

  async #lookAtFaults(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(LOOK_AT_FAULTS_MS[this.#cluster.world], signal);
      await this.#harm.look(LOOK_AFTER_MS).catch((error: unknown) => this.#trouble(error));
    }
  }

  #trouble(error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    this.apply({ type: 'fact', at: Date.now(), fact: { type: 'trouble', detail } });
  }

  #running(): readonly ClusterNode[] {
    return this.#cluster.nodes.filter(({ state }) => state === 'running');
  }
}

/** What a session is judged by; looks at nodes and books come by the thousand and say nothing new. */
const FACTUAL: ReadonlySet<RoomEvent['type']> = new Set([
  'node',
  'reach',
  'begun',
  'proof',
  'ended',
  'recovery',
  'tour',
  'conflict',
  'fact',
]);

function slimStatus(status: StatusSnapshot): StatusSnapshot {
  return {
    peer_id: status.peer_id,
    sync_mode: status.sync_mode,
    forced_mode: status.forced_mode,
    merkle_root: status.merkle_root,
    state_size: status.state_size,
    peers: status.peers.map((peer) => ({
      peer_id: peer.peer_id,
      p2p: { state: peer.p2p.state },
      http: { state: peer.http.state },
    })),
  };
}
