/**
 * Every network fault that is in force now in the nodes' namespaces, whatever their number. Three things need all of them
 * at once: the lease that each table lives on and that only a living lab renews; the asserting anew when a node has been
 * started, since a restart makes a new namespace without a rule and may swap addresses; and the matrix of probes, which
 * must find exactly what all of them together intend.
 */
import { FaultError } from './fault.ts';
import type { Check, Injected } from './fault.ts';
import { checkMatrix, type Cell } from './matrix.ts';
import { renderRemoval, renderRenewal, renderTable, TABLE_PREFIX } from './nft.ts';
import type { Block, Listing } from './nft.ts';
import { Serial } from './serial.ts';
import type { Endpoint, Reach, Sidecar } from './sidecar.ts';

export interface RuledNode {
  readonly name: string;
  readonly state: string;
  /** in the lab's network; asked anew every time, since a restart may change it */
  readonly address: string;
  readonly sidecar: Sidecar;
  /** Runs a bash script in the node's own container, as its user. @returns what it printed */
  inside(script: string): Promise<string>;
}

export interface Demand {
  /** what the node's namespace shall hold, as things are now; null: nothing */
  blockOf(node: RuledNode, running: readonly RuledNode[]): Block | null;
  /** what a probe of this pair may find because of it; null: it does not touch the pair */
  reachOf(from: string, to: string, port: number): readonly Reach[] | null;
}

export const HTTP_PORT = 8000;
export const P2P_PORT = 9000;

/** Renewed so often, a lease survives two renewals that come late; a dead lab's rules end after it. */
const LEASE_SECONDS = 45;
const RENEW_EVERY_MS = 15_000;

export class NetworkRules {
  readonly #nodes: () => readonly RuledNode[];
  readonly #active = new Map<Demand, Enforced>();
  /** nodes that have a namespace again, until every fault is in force in it */
  readonly #coming = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #count = 0;

  readonly #renewEveryMs: number;

  constructor(nodes: () => readonly RuledNode[], renewEveryMs = RENEW_EVERY_MS) {
    this.#nodes = nodes;
    this.#renewEveryMs = renewEveryMs;
  }

  /** those that have a namespace */
  get running(): readonly RuledNode[] {
    return this.#nodes().filter(({ state }) => state !== 'stopped');
  }

  /** What `enforce` would load, by node. */
  plan(demand: Demand): readonly { readonly node: string; readonly script: string }[] {
    const table = `${TABLE_PREFIX}_${this.#count + 1}`;
    return this.#blocks(demand).flatMap(({ node, block }) => [
      { node: node.name, script: renderTable(table, block, LEASE_SECONDS) },
    ]);
  }

  async enforce(demand: Demand): Promise<Injected> {
    this.#count += 1;
    const enforced = new Enforced(`${TABLE_PREFIX}_${this.#count}`);
    this.#active.set(demand, enforced);
    this.#timer ??= setInterval(() => void this.#renew(), this.#renewEveryMs).unref();
    const times = await enforced.serial.run(() => this.#load(enforced, this.#blocks(demand)));
    if (times.length === 0) throw new FaultError('it is in force nowhere: no node that it concerns runs');
    return { beganAt: Math.min(...times), completeAt: Math.max(...times) };
  }

  /** Reads back that it is gone. @returns when the last namespace was free: before, nothing could heal. Throws FaultError. */
  async withdraw(demand: Demand): Promise<number> {
    const enforced = this.#active.get(demand);
    if (enforced === undefined) return Date.now();
    return enforced.serial.run(async () => {
      const lifted = await Promise.allSettled(
        this.running.map((node) =>
          within(node, async (sidecar) => {
            const at = await sidecar.load(renderRemoval(enforced.table));
            if (enforced.rendered.get(node.name)?.kind === 'delay') await sidecar.endDelay(enforced.table);
            if ((await sidecar.table(enforced.table)) !== null)
              throw new FaultError(`${node.name}: ${enforced.table} is still there after its deletion`);
            return at;
          }),
        ),
      );
      const times = lifted.flatMap((result) => {
        if (result.status === 'rejected')
          throw new FaultError('a rule could not be lifted', { cause: result.reason });
        return result.value ?? [];
      });
      this.#active.delete(demand);
      if (this.#active.size === 0) this.close();
      return times.length === 0 ? Date.now() : Math.max(...times);
    });
  }

  /** For a cluster that goes on without the lab; a rule that cannot be lifted ends with its lease. */
  async withdrawAll(): Promise<void> {
    await Promise.allSettled([...this.#active.keys()].map((demand) => this.withdraw(demand)));
    this.close();
  }

  /** What the kernel has of it now, and what it stopped in all, by node. Who is just coming back is waited for. */
  async read(demand: Demand): Promise<readonly Standing[]> {
    const enforced = this.#active.get(demand);
    if (enforced === undefined) return [];
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one look after the other; it ends when no more nodes come
      const standings = await this.#look(demand, enforced);
      if (this.#coming.size === 0) return standings;
      // oxlint-disable-next-line no-await-in-loop -- as above
      await Promise.allSettled(this.#coming);
    }
  }

  async #look(demand: Demand, enforced: Enforced): Promise<readonly Standing[]> {
    return enforced.serial.run(async () => {
      const standings = await Promise.all(
        this.#blocks(demand).map(({ node, block }) =>
          within(node, async (sidecar) => {
            const listing = await sidecar.table(enforced.table);
            enforced.note(node.name, sidecar, listing);
            const rendered = enforced.rendered.get(node.name) ?? null;
            const delayed = block.kind === 'delay' ? await sidecar.delayed(enforced.table) : 0;
            return { node, block, rendered, listing, delayed, stopped: enforced.stopped(node.name) };
          }),
        ),
      );
      return standings.filter((standing) => standing !== null);
    });
  }

  /** What has happened to it while it was in force: leases that ran out, nodes that came anew. */
  historyOf(demand: Demand): readonly Check[] {
    return this.#active.get(demand)?.history ?? [];
  }

  /** To be called when a node has a namespace again, before anything waits for it. @param sinceMs its start */
  async reassert(name: string, sinceMs: number): Promise<void> {
    const coming = this.#reassert(name, sinceMs);
    this.#coming.add(coming);
    try {
      await coming;
    } finally {
      this.#coming.delete(coming);
    }
  }

  async #reassert(name: string, sinceMs: number): Promise<void> {
    for (const [demand, enforced] of this.#active) {
      await enforced.serial.run(async () => {
        if (this.#active.get(demand) !== enforced) return;
        const blocks = this.#blocks(demand);
        const old = blocks.filter(({ node }) => node.name !== name);
        await Promise.all(
          old.map(({ node }) =>
            within(node, async (sidecar) =>
              enforced.note(node.name, sidecar, await sidecar.table(enforced.table)),
            ),
          ),
        );
        await this.#load(enforced, blocks);
        enforced.history.push({
          claim: `${name} was started while it was in force: asserted again ${Date.now() - sinceMs} ms after`,
          holds: true,
        });
      });
    }
  }

  /** Every node asks every other on all ports; what it may find is what all faults in force leave of it. */
  matrix(): Promise<Check> {
    return checkMatrix(
      async () => (await Promise.all(this.running.map((from) => this.#row(from)))).flat(),
      'every ordered pair, every port',
    );
  }

  /** These nodes dial all others that run, on all ports, so that there is something to stop. What becomes of it is not asked. */
  async knock(names: readonly string[]): Promise<void> {
    const { running } = this;
    await Promise.all(
      running
        .filter(({ name }) => names.includes(name))
        .map((from) => within(from, (sidecar) => sidecar.probe(targetsOf(from, running)))),
    );
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #row(from: RuledNode): Promise<readonly Cell[]> {
    const targets = targetsOf(from, this.running);
    const reaches = await from.sidecar.probe(targets);
    return targets.map(({ to, port }, i) => {
      const reach = reaches[i] ?? 'refused';
      const wanted = this.#wanted(from.name, to, port);
      return {
        isAsWanted: wanted.includes(reach),
        found: `${from.name}→${to}:${port} ${reach}, not ${wanted.join(' or ')}`,
      };
    });
  }

  #wanted(from: string, to: string, port: number): readonly Reach[] {
    const touched = [...this.#active.keys()].flatMap((demand) => {
      const reach = demand.reachOf(from, to, port);
      return reach === null ? [] : [reach];
    });
    if (touched.length === 0) return ['open'];
    // What one fault leaves open another may have closed; among those that close it the kernel's order decides.
    const closed = touched.filter((reach) => !reach.includes('open'));
    return [...new Set((closed.length > 0 ? closed : touched).flat())];
  }

  #blocks(demand: Demand): readonly { readonly node: RuledNode; readonly block: Block }[] {
    const { running } = this;
    return running.flatMap((node) => {
      const block = demand.blockOf(node, running);
      return block === null ? [] : [{ node, block }];
    });
  }

  async #load(
    enforced: Enforced,
    blocks: readonly { readonly node: RuledNode; readonly block: Block }[],
  ): Promise<readonly number[]> {
    const { table, rendered, namesOf } = enforced;
    const names = new Map(this.running.map(({ address, name }) => [address, name]));
    const times = await Promise.all(
      blocks.map(({ node, block }) =>
        within(node, async (sidecar) => {
          rendered.set(node.name, block);
          namesOf.set(node.name, names);
          if (block.kind === 'delay') await sidecar.delay(table, block.pairs);
          const at = await sidecar.load(renderTable(table, block, LEASE_SECONDS));
          enforced.beginAnew(node.name);
          return at;
        }),
      ),
    );
    return times.filter((at) => at !== null);
  }

  async #renew(): Promise<void> {
    for (const [demand, enforced] of this.#active) {
      await enforced.serial.run(async () => {
        if (this.#active.get(demand) !== enforced) return;
        for (const { node, block } of this.#blocks(demand)) await this.#renewOne(enforced, node, block);
      });
    }
  }

  async #renewOne(enforced: Enforced, node: RuledNode, block: Block): Promise<void> {
    try {
      await within(node, (sidecar) => sidecar.load(renderRenewal(enforced.table, LEASE_SECONDS)));
    } catch {
      enforced.history.push({ claim: `${node.name}: the lease never ran out`, holds: false });
      await this.#load(enforced, [{ node, block }]).catch(() => undefined);
    }
  }
}

function targetsOf(
  { name }: RuledNode,
  running: readonly RuledNode[],
): readonly (Endpoint & { readonly to: string })[] {
  return running
    .filter((to) => to.name !== name)
    .flatMap((to) => [P2P_PORT, HTTP_PORT].map((port) => ({ to: to.name, host: to.address, port })));
}

/** Does something in a node's namespace. @returns null where the node ends meanwhile, and takes its namespace with it */
async function within<T>(node: RuledNode, work: (sidecar: Sidecar) => Promise<T>): Promise<T | null> {
  if (node.state === 'stopped') return null;
  const { sidecar } = node;
  try {
    return await work(sidecar);
  } catch (error) {
    if (node.state === 'stopped' || node.sidecar !== sidecar) return null;
    throw error;
  }
}

export interface Standing {
  readonly node: RuledNode;
  /** as it would be rendered for the nodes that run now */
  readonly block: Block;
  /** as it was last: also against nodes that have ended since; null: never */
  readonly rendered: Block | null;
  /** null: the table is not there */
  readonly listing: Listing | null;
  /** chunks that its proxy passed on later than they were sent */
  readonly delayed: number;
  readonly stopped: Stopped;
}

/** What a namespace has stopped in all, also before its table was loaded anew. */
interface Stopped {
  /** by the name of the peer whose packets they were */
  readonly from: ReadonlyMap<string, number>;
  /** counters of the rules that count, in order: of a loss what was seen and what was dropped */
  readonly rules: readonly number[];
  readonly packets: number;
  readonly bytes: number;
}

/** One demand's table, and the books about it: loading a table anew deletes its counters. */
class Enforced {
  readonly table: string;
  /** by node, what was loaded last */
  readonly rendered = new Map<string, Block>();
  /** by node, whose the addresses in it were: started anew, nodes may swap theirs */
  readonly namesOf = new Map<string, ReadonlyMap<string, string>>();
  readonly serial = new Serial();
  readonly history: Check[] = [];
  /** by node: of tables that are no more, and of the present one */
  readonly #past = new Map<string, Stopped>();
  readonly #present = new Map<string, Stopped & { readonly sidecar: Sidecar }>();

  constructor(table: string) {
    this.table = table;
  }

  note(name: string, sidecar: Sidecar, listing: Listing | null): void {
    const last = this.#present.get(name);
    const now = stoppedOf(listing, this.namesOf.get(name) ?? new Map<string, string>());
    // Fewer than before, or another namespace: the counters began anew.
    if (last !== undefined && (last.sidecar !== sidecar || now.packets < last.packets))
      this.#past.set(name, sum(this.#past.get(name) ?? NOTHING, last));
    this.#present.set(name, { ...now, sidecar });
  }

  /** Its table was loaded anew: what was noted of the old one is past. */
  beginAnew(name: string): void {
    this.#past.set(name, this.stopped(name));
    this.#present.delete(name);
  }

  stopped(name: string): Stopped {
    return sum(this.#past.get(name) ?? NOTHING, this.#present.get(name) ?? NOTHING);
  }
}

const NOTHING: Stopped = { from: new Map(), rules: [], packets: 0, bytes: 0 };

function stoppedOf(listing: Listing | null, names: ReadonlyMap<string, string>): Stopped {
  if (listing === null) return NOTHING;
  const from = new Map<string, number>();
  for (const { peer, packets } of listing.pairs) {
    const name = names.get(peer);
    if (name !== undefined) from.set(name, (from.get(name) ?? 0) + packets);
  }
  const counters = [...listing.chains.values()].flat().filter((counter) => counter !== null);
  // Of a loss the first counter is what was seen; of a rate there is one for each way.
  const stopping = [...listing.pairs, ...(listing.chains.has('lossy') ? counters.slice(1) : counters)];
  return {
    from,
    rules: counters.map(({ packets }) => packets),
    packets: stopping.reduce((all, { packets }) => all + packets, 0),
    bytes: stopping.reduce((all, { bytes }) => all + bytes, 0),
  };
}

function sum(a: Stopped, b: Stopped): Stopped {
  const names = new Set([...a.from.keys(), ...b.from.keys()]);
  const longer = a.rules.length > b.rules.length ? a.rules : b.rules;
  return {
    from: new Map([...names].map((name) => [name, (a.from.get(name) ?? 0) + (b.from.get(name) ?? 0)])),
    rules: longer.map((_, i) => (a.rules[i] ?? 0) + (b.rules[i] ?? 0)),
    packets: a.packets + b.packets,
    bytes: a.bytes + b.bytes,
  };
}
