/**
 * Faults of the simulated world: rules on packets, and what a simulated machine can suffer. Evidence is asked of the
 * world's own rules, and counted where it drops.
 */
import type { LungName } from '../../node/protocol/events.ts';
import type { Faults } from '../../sim/faults.ts';
import type { Host } from '../../sim/host.ts';
import type { World } from '../../sim/world.ts';
import { evidenceOf } from './fault.ts';
import type { Check, Evidence, Fault, Injected } from './fault.ts';
import { holdsGrudge } from './partition.ts';
import type { FaultSpec, Scope, SpecOf } from './spec.ts';

export interface SimulatedModules {
  readonly world: World;
  readonly faults: Faults;
  readonly hosts: ReadonlyMap<string, Host>;
  readonly epochMs: () => number;
  /** packets that the world's rules have dropped so far */
  readonly dropped: () => number;
}

/** @returns null where the simulated world can do it */
export function whyNotSimulated(spec: FaultSpec): string | null {
  switch (spec.kind) {
    case 'partition':
    case 'kill':
    case 'freeze':
    case 'restart':
      return null;
    case 'latency':
      return spec.jitterMs === 0 ? null : 'simulated links have their own jitter: ask for none';
    case 'clock':
      return spec.driftPpm === 0 ? null : 'a simulated clock drifts from its start, or not at all';
    case 'loss':
    case 'bandwidth':
    case 'restart-elsewhere':
    case 'disk-full':
    case 'corrupt':
    case 'lost-writes':
    case 'dns':
    case 'cpu-hog':
    case 'scale':
    case 'upgrade':
      return `the simulated world knows no ${spec.kind}`;
  }
}

type Simulated = SpecOf<'partition' | 'kill' | 'freeze' | 'restart' | 'latency' | 'clock'>;

export class SimulatedFault implements Fault {
  readonly name: FaultSpec['kind'];
  readonly means: string;
  readonly #modules: SimulatedModules;
  readonly #spec: Simulated;
  #end: (() => void) | null = null;
  #liftedAt: number | null = null;
  #droppedBefore = 0;

  constructor(modules: SimulatedModules, spec: FaultSpec) {
    const reason = whyNotSimulated(spec);
    if (reason !== null) throw new RangeError(reason);
    this.#modules = modules;
    this.#spec = spec as Simulated;
    this.name = spec.kind;
    this.means = `${spec.kind} in virtual time`;
  }

  plan(): readonly string[] {
    return [`${JSON.stringify(this.#spec)} in the simulator's own rules`];
  }

  async inject(): Promise<Injected> {
    this.#droppedBefore = this.#modules.dropped();
    this.#end = this.#begin(this.#spec);
    const at = this.#modules.epochMs();
    return { beganAt: at, completeAt: at };
  }

  async evidence(): Promise<Evidence> {
    return this.#told(this.#checks(true));
  }

  async lift(): Promise<number> {
    this.#end?.();
    this.#end = null;
    this.#liftedAt ??= this.#modules.epochMs();
    return this.#liftedAt;
  }

  async heal(): Promise<Evidence> {
    await this.lift();
    return this.#told(this.#checks(false));
  }

  #told(checks: readonly Check[]): Evidence {
    return evidenceOf(checks, { count: this.#modules.dropped() - this.#droppedBefore, bytes: 0 });
  }

  /** @returns what ends it */
  #begin(spec: Simulated): () => void {
    const { faults, hosts } = this.#modules;
    const struck = spec.kind === 'partition' ? [] : spec.nodes.map((name) => hostOf(hosts, name));
    switch (spec.kind) {
      case 'partition':
        return this.#cut(spec);
      case 'latency': {
        const from = struck.map(({ number }) => number);
        const to = [...hosts.values()].map(({ number }) => number);
        return faults.delay({ from, to, lungs: lungsOf(spec.scope), oneWay: false }, spec.ms);
      }
      case 'freeze':
        return all(struck.map((host) => host.freeze()));
      case 'clock':
        for (const host of struck) host.clockOffsetMs += spec.jumpMs;
        return () => {
          for (const host of struck) host.clockOffsetMs -= spec.jumpMs;
        };
      case 'kill':
        for (const host of struck) host.kill();
        return () => {
          for (const host of struck) if (!host.isUp) host.start();
        };
      case 'restart':
        for (const host of struck) {
          host.kill();
          host.start();
        }
        return () => {};
    }
  }

  #cut({ grudges, scope, how }: SpecOf<'partition'>): () => void {
    const { faults, hosts } = this.#modules;
    const ends: (() => void)[] = [];
    for (const [name, others] of Object.entries(grudges)) {
      const host = hostOf(hosts, name);
      const from = others.map((other) => hostOf(hosts, other));
      const numbers = from.map(({ number }) => number);
      ends.push(faults.cut({ from: numbers, to: [host.number], lungs: lungsOf(scope), oneWay: true }));
      // Whoever sends is told at once: both ends know that their connection is gone.
      if (how === 'reset' && scope !== 'http') {
        for (const other of from) {
          host.p2p.reset(other.number);
          other.p2p.reset(host.number);
        }
      }
    }
    return all(ends);
  }

  #checks(isOn: boolean): readonly Check[] {
    const { hosts, world } = this.#modules;
    const spec = this.#spec;
    switch (spec.kind) {
      case 'partition': {
        const pairs = [...hosts].flatMap(([to, a]) =>
          [...hosts].flatMap(([from, b]) =>
            lungsOf(spec.scope).map((lung) => ({
              isDropped: !world.passes(b.number, a.number, lung),
              isMeant: holdsGrudge(spec.grudges, to, from),
            })),
          ),
        );
        const meant = pairs.filter(({ isMeant }) => isMeant);
        if (isOn)
          return [
            { claim: 'every such packet is dropped', holds: meant.every(({ isDropped }) => isDropped) },
            { claim: 'packets were dropped', holds: this.#modules.dropped() > this.#droppedBefore },
          ];
        return [{ claim: 'packets pass again', holds: meant.every(({ isDropped }) => !isDropped) }];
      }
      case 'kill':
        return [
          { claim: isOn ? 'it is down' : 'it is up', holds: this.#struck.every(({ isUp }) => isUp !== isOn) },
        ];
      case 'freeze':
        return [
          {
            claim: isOn ? 'it stands still' : 'it goes on',
            holds: this.#struck.every(({ isStalled }) => isStalled === isOn),
          },
        ];
      case 'restart':
        return [{ claim: 'it lives anew', holds: this.#struck.every(({ isUp, life }) => isUp && life > 1) }];
      case 'clock':
      case 'latency':
        return [{ claim: isOn ? 'it is in force' : 'it is lifted', holds: (this.#end !== null) === isOn }];
    }
  }

  get #struck(): readonly Host[] {
    const spec = this.#spec;
    return spec.kind === 'partition' ? [] : spec.nodes.map((name) => hostOf(this.#modules.hosts, name));
  }
}

function lungsOf(scope: Scope): readonly LungName[] {
  return scope === 'both' ? ['p2p', 'http'] : [scope];
}

function hostOf(hosts: ReadonlyMap<string, Host>, name: string): Host {
  const host = hosts.get(name);
  if (host === undefined) throw new RangeError(`there is no ${name}`);
  return host;
}

function all(ends: readonly (() => void)[]): () => void {
  return () => {
    for (const end of ends) end();
  };
}
