/**
 * One round: a node is struck, all that it takes until the cluster has noticed and gone another way is timed, the fault is
 * lifted, and the way back is timed. Times are those of the nodes' own events; reads are the harness's.
 *
 *   bite ─ noticed ─ decided ─ first write carried          lifted ─ first link ─ back in P2P ─ roots equal
 *   └ detect ┘└ decide ┘                                         └ TCP tail ┘
 */
import type { Cluster, ClusterNode } from '../chaos/cluster/port.ts';
import type { Evidence, Fault, Injected } from '../chaos/faults/fault.ts';
import type { SyncMode } from '../node/protocol/events.ts';
import type { Fact, Facts } from './failover-facts.ts';
import { unseenMs } from './failover-facts.ts';
import { specOf } from './failover-strikes.ts';
import type { Strike } from './failover-strikes.ts';
import type { Watch, Watches } from './failover-watch.ts';

/** What is timed, in the order in which it happens; all in ms. */
export const MEASURES = {
  suspected: 'bite → first suspicion',
  detect: 'bite → noticed (detect)',
  decide: 'noticed → sync_mode (decide)',
  flip: 'bite → sync_mode',
  carry: 'bite → first new write crosses (carry)',
  unseen: 'longest a fresh write stayed unseen',
  answers: 'launched → HTTP answers',
  ready: 'launched → P2P',
  tail: 'lifted → first P2P link (TCP tail)',
  relinked: 'lifted → all P2P links',
  failback: 'lifted → sync_mode P2P',
  equal: 'lifted → equal roots, fresh writes',
  healed: 'lifted → P2P (or all links), equal roots',
} as const;
export type Measure = keyof typeof MEASURES;

export interface Round {
  readonly kind: Strike;
  readonly round: number;
  readonly victim: string;
  /** without those that do not apply to the fault */
  readonly ms: Readonly<Partial<Record<Measure, number>>>;
  /** changes of mode that the fault does not explain, of others or back and forth; one line each */
  readonly falseSwitches: readonly string[];
  /** writes refused by nodes that run */
  readonly refused: number;
  /** what did not hold of the fault itself: it did not bite, or did not heal */
  readonly unproven: readonly string[];
  /** waited for in vain; the times hold the limit then */
  readonly late: readonly string[];
}

export interface RoundModules {
  readonly cluster: Cluster;
  readonly watches: Watches;
  readonly facts: Facts;
}

const STEADY_LIMIT_MS = 60_000;
const NOTICE_LIMIT_MS = 15_000;
const CARRY_LIMIT_MS = 10_000;
const RETURN_LIMIT_MS = 30_000;
/** acknowledged before the fault, and again once it is noticed: each node's turn comes twice */
const WRITES_BEFORE = 6;
const WRITES_AFTER = 10;
/** Written so shortly before, a write may have been on its way when the fault bit. */
const ON_ITS_WAY_MS = 100;

/** @param thorough also probes every port from every node, before and after: a second or two, off the clock */
export async function playRound(
  modules: RoundModules,
  strike: {
    readonly kind: Strike;
    readonly round: number;
    readonly victim: ClusterNode;
    readonly thorough: boolean;
  },
): Promise<Round> {
  const { kind, round, victim, thorough } = strike;
  const { cluster, watches, facts } = modules;
  const stage = new Stage(modules, victim.name, kind);
  await stage.reachSteadyState();
  await stage.letWrite(WRITES_BEFORE + Math.random() * WRITES_BEFORE, 'before');
  const beganAt = Date.now();
  const refusedBefore = facts.refused;

  const fault = cluster.fault(specOf(kind, cluster.world, stage.names, victim.name));
  const late: string[] = [];
  const inTime = async (what: string, claim: () => boolean, limitMs: number): Promise<void> => {
    if (!(await watches.until(claim, limitMs))) late.push(what);
  };
  let liftedAt = 0;
  const proofs: Evidence[] = [];
  try {
    const bite = await fault.inject({ probes: thorough });
    await inTime('the fault is noticed', () => stage.hasNoticed(bite.beganAt), NOTICE_LIMIT_MS);
    await stage.letWrite(WRITES_AFTER, 'after');
    const locally = kind === 'both-cut' ? await facts.write(victim.name) : undefined;
    facts.pause();
    await inTime('every write is seen', () => facts.allSeen, CARRY_LIMIT_MS);
    const struck = stage.timesOf(bite);
    proofs.push(await fault.evidence({ probes: thorough }));

    liftedAt = await fault.lift();
    facts.rotate([], stage.names);
    const fresh = await stage.writeFresh();
    await inTime('everything is as before', () => stage.isBack(liftedAt, fresh), RETURN_LIMIT_MS);
    const back = stage.timesBack(liftedAt, fresh);
    proofs.push(await fault.heal({ probes: thorough }));
    return {
      kind,
      round,
      victim: victim.name,
      ms: { ...struck, ...back },
      falseSwitches: stage.falseSwitches(beganAt),
      refused: facts.refused - refusedBefore + (locally === null ? 1 : 0),
      unproven: proofs.flatMap(({ checks }) =>
        checks.filter(({ holds }) => !holds).map(({ claim }) => claim),
      ),
      late,
    };
  } catch (error) {
    await lifted(fault);
    throw error;
  }
}

async function lifted(fault: Fault): Promise<void> {
  // What went wrong before is what will be told.
  await fault.lift().catch(() => undefined);
}

/** What a kind of fault makes of the victim's mode; null: its mode says nothing. */
const MODES: Readonly<Record<Strike, SyncMode | null>> = {
  'black-hole': 'HTTP',
  'one-way': 'HTTP',
  'both-cut': 'NONE',
  kill: null,
  freeze: null,
};

/** How often the victim's mode may change: out of P2P and back; to NONE, or from a start, by way of HTTP. */
const SWITCHES: Readonly<Record<Strike, number>> = {
  'black-hole': 2,
  'one-way': 2,
  'both-cut': 4,
  kill: 2,
  freeze: 2,
};

class Stage {
  readonly #modules: RoundModules;
  readonly #victim: Watch;
  readonly #others: readonly Watch[];
  readonly #kind: Strike;

  constructor(modules: RoundModules, victim: string, kind: Strike) {
    this.#modules = modules;
    this.#kind = kind;
    const { all } = modules.watches;
    const found = all.find(({ name }) => name === victim);
    if (found === undefined) throw new RangeError(`nobody watches ${victim}`);
    this.#victim = found;
    this.#others = all.filter((watch) => watch !== found);
  }

  get names(): readonly string[] {
    return this.#modules.watches.all.map(({ name }) => name);
  }

  /** Everybody says P2P, hears everybody by P2P, and has one root. */
  async reachSteadyState(): Promise<void> {
    const { watches, facts } = this.#modules;
    facts.rotate([], this.names);
    const steady = await watches.until(() => isSteady(watches.all) && facts.allSeen, STEADY_LIMIT_MS);
    if (!steady) throw new Error(`no steady state within ${STEADY_LIMIT_MS} ms: ${describe(watches.all)}`);
    const apart = MODES[this.#kind] !== 'HTTP';
    const taking = apart ? this.#others.map(({ name }) => name) : this.names;
    facts.rotate(taking, taking);
  }

  async letWrite(count: number, when: string): Promise<void> {
    const { watches, facts } = this.#modules;
    const from = facts.facts.length;
    if (!(await watches.until(() => facts.facts.length >= from + count, CARRY_LIMIT_MS)))
      throw new Error(`nobody takes writes ${when} the fault: ${describe(watches.all)}`);
  }

  /** Every link of the victim is dead by those who live to say so, and its mode is what it must be. */
  hasNoticed(since: number): boolean {
    const mode = MODES[this.#kind];
    if (!this.#others.every((other) => isDead(other, this.#victim, since))) return false;
    if (mode === null) return true;
    const { value, at } = this.#victim.mode;
    return value === mode && at >= since && this.#others.every((other) => isDead(this.#victim, other, since));
  }

  timesOf({ beganAt, completeAt }: Injected): Round['ms'] {
    const { facts } = this.#modules;
    const from = (at: number): number => Math.max(0, at - beganAt);
    const now = Date.now();
    const mode = MODES[this.#kind];
    const judges = mode === null ? this.#others : [this.#victim];
    const unseen = facts.facts.filter((fact) => fact.ackedAt >= beganAt - ON_ITS_WAY_MS);
    const common = {
      suspected: from(Math.min(now, ...judges.flatMap((judge) => this.#doubtsOf(judge, beganAt)))),
      detect: from(Math.max(...judges.flatMap((judge) => this.#deathsSeenBy(judge, beganAt)))),
      unseen: Math.max(0, ...unseen.map((fact) => unseenMs(fact, now))),
    };
    if (mode === null) return common;
    const flip = from(this.#victim.mode.value === mode ? this.#victim.mode.at : now);
    const both = { ...common, flip, decide: Math.max(0, flip - common.detect) };
    if (mode === 'NONE') return both;
    return { ...both, carry: from(this.#firstCrossing(unseen.filter((fact) => fact.ackedAt > completeAt))) };
  }

  async writeFresh(): Promise<readonly Fact[]> {
    const written: Fact[] = [];
    for (const { name } of [this.#victim, ...this.#others.slice(0, 1)]) {
      const fact = await this.#modules.facts.write(name);
      if (fact !== null) written.push(fact);
    }
    return written;
  }

  isBack(liftedAt: number, fresh: readonly Fact[]): boolean {
    const { watches, facts } = this.#modules;
    return fresh.length > 0 && facts.allSeen && isSteady(watches.all) && this.#victim.root.at >= liftedAt;
  }

  timesBack(liftedAt: number, fresh: readonly Fact[]): Round['ms'] {
    const { all } = this.#modules.watches;
    const from = (at: number): number => Math.max(0, at - liftedAt);
    const now = Date.now();
    const { mode } = this.#victim;
    const links = this.#others.flatMap((other) => [
      other.links.get(this.#victim.id),
      this.#victim.links.get(other.id),
    ]);
    const alive = links.flatMap((link) => (link?.value === 'alive' ? [link.at] : []));
    const seen = fresh.flatMap((fact) => [...fact.seenAt.values()].map((at) => at ?? now));
    const isOneRoot = new Set(all.map(({ root }) => root.value)).size === 1;
    const relinked = from(alive.length === links.length ? Math.max(...alive) : now);
    const equal = from(isOneRoot ? Math.max(...all.map(({ root }) => root.at), ...seen) : now);
    const tail = from(Math.min(now, ...alive.filter((at) => at >= liftedAt)));
    const returned = from(mode.value === 'P2P' ? mode.at : now);
    const way = { tail, relinked, equal };
    if (MODES[this.#kind] !== null) return { ...way, failback: returned, healed: Math.max(returned, equal) };
    // Others may have stayed in P2P all the time, and a frozen node never knew that it had left.
    const healed = Math.max(relinked, equal);
    return this.#kind === 'kill' ? { ...way, healed, ready: returned } : { ...way, healed };
  }

  /** Changes beyond those that the fault explains: there and back, of the victim alone. */
  falseSwitches(since: number): readonly string[] {
    return this.#modules.watches.all.flatMap((watch) => {
      const switches = switchesOf(watch, since);
      return watch === this.#victim ? switches.slice(SWITCHES[this.#kind]) : switches;
    });
  }

  /** When this node first doubted a link of the struck one. */
  #doubtsOf(judge: Watch, since: number): readonly number[] {
    const peers = this.#peersOf(judge);
    return judge
      .eventsSince(since)
      .flatMap(({ at, event }) =>
        event.type === 'peer' && event.lung === 'p2p' && event.to !== 'alive' && peers.includes(event.peer)
          ? [at]
          : [],
      )
      .slice(0, 1);
  }

  #deathsSeenBy(judge: Watch, since: number): readonly number[] {
    return this.#peersOf(judge).map((peer) => {
      const link = judge.links.get(peer);
      return link?.value === 'dead' && link.at >= since ? link.at : Date.now();
    });
  }

  #peersOf(judge: Watch): readonly string[] {
    return judge === this.#victim ? this.#others.map(({ id }) => id) : [this.#victim.id];
  }

  /** Outward and inward, the later of the two; where nothing crossed, now. */
  #firstCrossing(facts: readonly Fact[]): number {
    const { name } = this.#victim;
    const outward = facts
      .filter(({ writer }) => writer === name)
      .flatMap(({ seenAt }) => [...seenAt.values()]);
    const inward = facts.map(({ seenAt }) => seenAt.get(name));
    const earliest = (times: readonly (number | null | undefined)[]): number =>
      Math.min(Date.now(), ...times.filter((at) => typeof at === 'number'));
    return Math.max(earliest(outward), earliest(inward));
  }
}

export function isSteady(all: readonly Watch[]): boolean {
  return (
    new Set(all.map(({ root }) => root.value)).size === 1 &&
    all.every(({ mode }) => mode.value === 'P2P') &&
    all.every((watch) =>
      all.every((other) => watch === other || watch.links.get(other.id)?.value === 'alive'),
    )
  );
}

/** Changes of mode, in words. */
export function switchesOf(watch: Watch, since: number): readonly string[] {
  return watch
    .eventsSince(since)
    .flatMap(({ at, event }) =>
      event.type === 'mode'
        ? [`${watch.name} ${event.from} → ${event.to} after ${at - since} ms (${event.reason})`]
        : [],
    );
}

function isDead(judge: Watch, of: Watch, since: number): boolean {
  const link = judge.links.get(of.id);
  return link !== undefined && link.value === 'dead' && link.at >= since;
}

function describe(all: readonly Watch[]): string {
  return all
    .map(({ name, mode, root, links }) => {
      const alive = [...links.values()].filter(({ value }) => value === 'alive').length;
      return `${name} ${mode.value}, ${alive} links, root ${root.value.slice(0, 8)}`;
    })
    .join('; ');
}
