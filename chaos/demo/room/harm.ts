/**
 * The faults that are in force, over the lab's own (chaos/faults): begun, looked at while they last, ended. One thing is
 * done at a time, in the order in which it was asked for, so that two faults never race for one link.
 */
import type { CutLung, FaultDeed, FaultView, RoomEvent } from '../../../dashboard/room/model.ts';
import type { Cluster, ClusterNode } from '../../cluster/port.ts';
import { split } from '../../faults/partition.ts';
import type { Evidence, Fault } from '../../faults/fault.ts';
import type { FaultSpec } from '../../faults/spec.ts';
import { RoomRefusal } from './server.ts';

export interface ActiveFault {
  readonly view: FaultView;
  readonly fault: Fault;
}

/** What a fault showed, for the evidence of the session. */
export interface KeptEvidence {
  readonly fault: number;
  readonly when: 'in force' | 'healed';
  readonly at: number;
  readonly evidence: Evidence;
}

export interface HarmEvents {
  readonly apply: (event: RoomEvent) => void;
  /** @param from when it bit, or was lifted */
  readonly disturbed: (fault: FaultView, after: 'fault' | 'heal', from: number) => void;
}

const EVIDENCE_KEPT = 2000;

export class Harm {
  readonly #cluster: Cluster;
  readonly #events: HarmEvents;
  readonly #active = new Map<number, ActiveFault>();
  readonly #kept: KeptEvidence[] = [];
  #lastId = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(cluster: Cluster, events: HarmEvents) {
    this.#cluster = cluster;
    this.#events = events;
  }

  get active(): readonly FaultView[] {
    return [...this.#active.values()].map(({ view }) => view);
  }

  get evidence(): readonly KeptEvidence[] {
    return this.#kept;
  }

  /** @returns the fault once it is in force. Throws RoomRefusal where it cannot be done now. */
  begin(deed: FaultDeed): Promise<FaultView> {
    return this.#inTurn(() => this.#begin(deed));
  }

  /** Takes a lung, or both, from these nodes: nobody hears them over it, they hear nobody. */
  cut(nodes: readonly string[], lung: CutLung): Promise<FaultView> {
    const everywhere = this.#cluster.nodes.every(({ name }) => nodes.includes(name));
    return this.begin({ kind: 'cut', nodes, everywhere, lung });
  }

  end(id: number): Promise<void> {
    return this.#inTurn(async () => {
      const active = this.#active.get(id);
      if (active === undefined) throw new RoomRefusal(`Fault ${id} is not in force.`);
      await this.#end(active);
    });
  }

  endAll(): Promise<void> {
    return this.#inTurn(async () => {
      for (const active of this.#active.values()) await this.#end(active);
    });
  }

  /** Whatever keeps this node down is ended; a node that runs is killed and started. */
  restart(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const node = this.#node(name);
      if (node.state === 'running') await this.#begin({ kind: 'kill', node: name });
      for (const active of this.#active.values()) {
        const { deed } = active.view;
        if ((deed.kind === 'kill' || deed.kind === 'freeze') && deed.node === name) await this.#end(active);
      }
    });
  }

  /** What the faults show that have been in force for so long: in its first moments nothing has run into a cut yet. */
  look(forMs: number): Promise<void> {
    return this.#inTurn(async () => {
      for (const active of this.#active.values()) {
        if (Date.now() - active.view.from < forMs) continue;
        const evidence = await active.fault.evidence({ probes: false });
        this.#keep(active.view.id, 'in force', evidence);
        this.#events.apply({
          type: 'proof',
          at: Date.now(),
          id: active.view.id,
          proven: evidence.ok,
          dropped: evidence.dropped,
        });
      }
    });
  }

  async #begin(deed: FaultDeed): Promise<FaultView> {
    this.#refuseNonsense(deed);
    const spec = specOf(deed, this.#cluster);
    const reason = this.#cluster.supports(spec);
    if (reason !== null) throw new RoomRefusal(reason);
    const fault = this.#cluster.fault(spec);
    const { beganAt } = await fault.inject({ probes: false });
    this.#lastId += 1;
    const view: FaultView = {
      id: this.#lastId,
      deed,
      means: fault.means,
      from: beganAt,
      until: null,
      proven: null,
      dropped: 0,
    };
    this.#active.set(view.id, { view, fault });
    this.#events.apply({ type: 'begun', at: beganAt, fault: view });
    this.#events.disturbed(view, 'fault', beganAt);
    return view;
  }

  async #end(active: ActiveFault): Promise<void> {
    const { view, fault } = active;
    const liftedAt = await fault.lift();
    const healed = await fault.heal({ probes: false });
    this.#active.delete(view.id);
    this.#events.apply({ type: 'ended', at: liftedAt, id: view.id });
    this.#events.disturbed(view, 'heal', liftedAt);
    this.#keep(view.id, 'healed', healed);
  }

  #refuseNonsense(deed: FaultDeed): void {
    switch (deed.kind) {
      case 'kill':
      case 'freeze': {
        const { state } = this.#node(deed.node);
        if (state === 'stopped' || (deed.kind === 'freeze' && state === 'frozen'))
          throw new RoomRefusal(`${deed.node} is ${state}.`);
        return;
      }
      case 'cut':
        for (const name of deed.nodes) this.#node(name);
        if (this.active.some((fault) => JSON.stringify(fault.deed) === JSON.stringify(deed)))
          throw new RoomRefusal('This cut is in force.');
        return;
      case 'partition': {
        const names = deed.groups.flat();
        for (const name of names) this.#node(name);
        if (new Set(names).size !== names.length) throw new RoomRefusal('A node is on both sides.');
        return;
      }
    }
  }

  #node(name: string): ClusterNode {
    const node = this.#cluster.nodes.find((one) => one.name === name);
    if (node === undefined) throw new RoomRefusal(`There is no node ${name}.`);
    return node;
  }

  #keep(fault: number, when: KeptEvidence['when'], evidence: Evidence): void {
    // Looked at again and again while it lasts: the last look is the one that counts.
    const last = this.#kept.findIndex((kept) => kept.fault === fault && kept.when === when);
    if (last >= 0) this.#kept.splice(last, 1);
    this.#kept.push({ fault, when, at: Date.now(), evidence });
    if (this.#kept.length > EVIDENCE_KEPT) this.#kept.shift();
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
}

function specOf(deed: FaultDeed, cluster: Cluster): FaultSpec {
  const names = cluster.nodes.map(({ name }) => name);
  switch (deed.kind) {
    case 'cut': {
      const rest = names.filter((name) => !deed.nodes.includes(name));
      return partition(names, [rest], deed.lung);
    }
    case 'partition':
      return partition(names, deed.groups, deed.lung);
    case 'kill':
      return { kind: 'kill', nodes: [deed.node] };
    case 'freeze':
      return { kind: 'freeze', nodes: [deed.node], how: 'sigstop' };
  }
}

function partition(
  names: readonly string[],
  groups: readonly (readonly string[])[],
  scope: CutLung,
): FaultSpec {
  return { kind: 'partition', grudges: split(names, groups), scope, how: 'drop' };
}
