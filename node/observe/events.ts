/**
 * Everything the core lets the world see goes through here: each event gets a number and a time, is kept for a while,
 * counted, told to the subscribers (the event stream), and written to the log in the words of an operator.
 */
import type { Clock, Logger } from '../ports.ts';
import type { DatedEvent, LatticeEvent, LungName } from '../protocol/events.ts';
import type { NodeId } from '../protocol/ids.ts';
import { Strangers, STRANGERS_HINT } from './strangers.ts';

export interface EventLogModules {
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'wallMs'>;
  /** counts each event */
  readonly metrics?: { observe(event: DatedEvent): void };
  /** base URL of a peer where one is known, for the log's readers */
  readonly urlOf?: (peer: NodeId) => string | null;
}

export interface EventLogOptions {
  /** events kept for late readers; default 1000, some 200 KB */
  readonly keptMax?: number;
}

/** Strangers choose how often something is refused, so only so many lines of it per minute. */
const REFUSED_LINES_PER_MINUTE = 20;

export class EventLog {
  readonly #modules: EventLogModules;
  readonly #keptMax: number;
  readonly #kept: DatedEvent[] = [];
  readonly #listeners = new Set<(event: DatedEvent) => void>();
  #lastId = 0;
  readonly #strangers = new Strangers();
  #refusedMinute = 0;
  #refusedLines = 0;

  constructor(modules: EventLogModules, options: EventLogOptions = {}) {
    this.#modules = modules;
    this.#keptMax = options.keptMax ?? 1000;
  }

  publish(event: LatticeEvent): void {
    this.#lastId += 1;
    const dated: DatedEvent = { id: this.#lastId, at: this.#modules.clock.wallMs(), event };
    this.#kept.push(dated);
    if (this.#kept.length > this.#keptMax) this.#kept.shift();
    this.#modules.metrics?.observe(dated);
    this.#write(dated);
    for (const listener of this.#listeners) this.#tell(listener, dated);
  }

  /** @returns a function that ends the subscription */
  subscribe(listener: (event: DatedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** The events kept, oldest first. */
  recent(): readonly DatedEvent[] {
    return [...this.#kept];
  }

  #tell(listener: (event: DatedEvent) => void, dated: DatedEvent): void {
    try {
      listener(dated);
    } catch (error) {
      this.#modules.logger.error('an event listener failed', { error });
    }
  }

  #write(dated: DatedEvent): void {
    const { event } = dated;
    if (this.#strangers.note(event, dated.at)) this.#modules.logger.warn(STRANGERS_HINT, { tag: 'STARTUP' });
    if (event.type === 'refused' && !this.#mayLogRefusal(dated.at)) return;
    const { logger } = this.#modules;
    const { level, tag, lines } = linesOf(event, (peer) => this.#modules.urlOf?.(peer) ?? peer);
    lines.forEach((line, i) => logger[level](line, i === 0 ? { tag, event } : { tag }));
  }

  #mayLogRefusal(at: number): boolean {
    const minute = Math.floor(at / 60_000);
    if (minute !== this.#refusedMinute) {
      this.#refusedMinute = minute;
      this.#refusedLines = 0;
    }
    this.#refusedLines += 1;
    if (this.#refusedLines === REFUSED_LINES_PER_MINUTE + 1) {
      this.#modules.logger.warn(
        'more was refused; counted in aethel_refused_total for the rest of this minute',
      );
    }
    return this.#refusedLines <= REFUSED_LINES_PER_MINUTE;
  }
}

interface Told {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly tag: string;
  readonly lines: readonly string[];
}

/** What an operator reads. The first line carries the event as a field. */
function linesOf(event: LatticeEvent, place: (peer: NodeId) => string): Told {
  switch (event.type) {
    case 'lung':
      return {
        level: event.state === 'up' ? 'info' : 'warn',
        tag: tagOf(event.lung),
        lines: [`${event.lung.toUpperCase()} lung ${event.state} (${event.reason})`],
      };
    case 'mode':
      return modeLines(event);
    case 'forced':
      return {
        level: 'warn',
        tag: event.mode === 'P2P' ? 'LATTICE_P2P' : 'HTTP_SYNC',
        lines: [
          event.mode === null ? 'Operator gives the choice of lung back' : `Operator forces ${event.mode}`,
        ],
      };
    case 'peer':
      return {
        level:
          event.to === 'dead' ? 'warn' : event.lung === 'http' && event.to === 'suspect' ? 'debug' : 'info',
        tag: event.lung === 'p2p' ? 'P2P_HEARTBEAT' : 'HTTP_SYNC',
        lines: [`peer ${event.peer} ${event.to}, was ${event.from} (${event.reason})`],
      };
    case 'root':
      return {
        level: 'debug',
        tag: event.cause === 'sync' ? 'RECONCILIATION' : 'LATTICE_P2P',
        lines: [`root ${event.root}, ${event.size} keys (${event.cause})`],
      };
    case 'divergence':
      return {
        level: 'info',
        tag: tagOf(event.lung),
        lines: [
          `State divergence detected from ${event.lung === 'http' ? place(event.peer) : event.peer}`,
          `  Local: ${event.local}`,
          `  Peer: ${event.remote}`,
        ],
      };
    case 'hedged':
      return {
        level: 'debug',
        tag: 'HTTP_SYNC',
        lines: [`${counted(event.records, 'fresh record')} over HTTP, gossip does not reach all members`],
      };
    case 'limited':
      return {
        level: 'warn',
        tag: tagOf(event.lung),
        lines: [
          event.isRecord
            ? `a record of ${event.bytes} bytes does not reach ${place(event.peer)}: something between takes no message of that size; the others go on`
            : `messages of ${event.bytes} bytes do not reach ${place(event.peer)}: something between takes none of that size; smaller ones are sent`,
        ],
      };
    case 'rung':
      return {
        level: event.rung === 'delta' ? 'debug' : 'info',
        tag: 'RECONCILIATION',
        lines: [`${event.rung} with ${event.peer} over ${event.lung} (${event.reason})`],
      };
    case 'reconciliation':
      return reconciliationLines(event);
    case 'conflict':
      return {
        level: 'info',
        tag: 'RECONCILIATION',
        lines: [
          `conflict on ${JSON.stringify(event.key.slice(0, 80))}: ${counted(event.siblings, 'sibling')} kept`,
        ],
      };
    case 'equivocation':
      return {
        level: 'error',
        tag: 'RECONCILIATION',
        lines: [
          `equivocation: ${event.author} signed two records under its sequence ${event.sequence}; both are kept`,
          `  One: ${event.records[0].slice(-128)} (signature; the records are in the event)`,
          `  Other: ${event.records[1].slice(-128)}`,
        ],
      };
    case 'restored':
      return {
        level: 'warn',
        tag: 'RECONCILIATION',
        lines: [
          `this store is a restored backup: ${event.peer} has seen our writes up to ${event.sequence}; their sequences are not used again`,
        ],
      };
    case 'member':
      return {
        level: event.counts ? 'info' : 'warn',
        tag: 'RECONCILIATION',
        lines: [
          event.counts
            ? `member ${event.peer} counts for w= from now on; ${event.members} do, this node included`
            : `member ${event.peer} was silent for too long and counts for w= no more; ${event.members} do, this node included`,
        ],
      };
    case 'collected':
      return {
        level: 'debug',
        tag: 'RECONCILIATION',
        lines: [`${counted(event.tombstones, 'tombstone')} collected`],
      };
    case 'clock':
      return {
        level: event.isSane ? 'info' : 'error',
        tag: 'STARTUP',
        lines: [
          event.isSane
            ? 'the clock agrees with the peers again; writes are taken'
            : `the clock is ${Math.round(event.offsetMs / 1000)} s from the peers'; writes are refused until it is right`,
        ],
      };
    case 'twin':
      return {
        level: event.isOurs ? 'error' : 'warn',
        tag: 'STARTUP',
        lines: [
          `two live processes have the identity ${event.peer}: its state directory, or its machine, was copied`,
          twinAdvice(event),
        ],
      };
    case 'stamps':
      return {
        level: 'warn',
        tag: 'STARTUP',
        lines: [
          `stamps of the lattice are ${Math.round(event.leadMs / 1000)} s ahead of the clocks, which were ahead once or are behind now; ` +
            `writes go on with the clock's, and replace them; ${counted(event.own, 'own record')} to be written anew`,
        ],
      };
    case 'refused':
      return {
        level: 'warn',
        tag: tagOf(event.lung),
        lines: [`refused a ${event.what} from ${event.peer ?? 'a stranger'} (${event.reason})`],
      };
  }
}

function twinAdvice({ instance, sinceMs, isOurs, stops }: Extract<LatticeEvent, { type: 'twin' }>): string {
  if (!isOurs)
    return `  One is instance ${instance}, since ${new Date(sinceMs).toISOString()}; the younger one stops writing`;
  return stops
    ? '  This one is the younger and takes no more writes. Stop it, and start it with an empty state directory'
    : '  This one is the older and goes on. Stop the other one, and start it with an empty state directory';
}

function modeLines(event: Extract<LatticeEvent, { type: 'mode' }>): Told {
  const change = `sync_mode ${event.from} → ${event.to} (${event.reason})`;
  switch (event.to) {
    case 'HTTP':
      return {
        level: 'warn',
        tag: 'HTTP_SYNC',
        lines: [event.from === 'P2P' ? `Failover: ${change}` : change],
      };
    case 'P2P':
      return {
        level: 'info',
        tag: 'LATTICE_P2P',
        lines: [event.from === 'HTTP' ? `Failback: ${change}` : change],
      };
    case 'NONE':
      return { level: 'warn', tag: 'HTTP_SYNC', lines: [`Isolated: ${change}`] };
  }
}

function reconciliationLines(event: Extract<LatticeEvent, { type: 'reconciliation' }>): Told {
  const result = {
    equal: 'roots equal',
    unlike: 'roots still unlike',
    failed: `failed (${event.reason})`,
  }[event.outcome];
  const isQuiet = event.outcome === 'equal' && event.pulled + event.pushed === 0;
  return {
    level: event.outcome === 'failed' ? 'warn' : isQuiet ? 'debug' : 'info',
    tag: 'RECONCILIATION',
    lines: [
      `${event.rung} with ${event.peer} over ${event.lung}: pulled ${event.pulled}, pushed ${event.pushed}, ` +
        `${counted(event.roundTrips, 'round trip')}, ${Math.round(event.tookMs)} ms, ${result}`,
    ],
  };
}

function tagOf(lung: LungName): string {
  return lung === 'p2p' ? 'LATTICE_P2P' : 'HTTP_SYNC';
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
