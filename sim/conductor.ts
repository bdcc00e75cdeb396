/** Performs the steps of a schedule, each at its time, on the hosts of a world. */
import type { WriteOutcome } from '../node/protocol/border.ts';
import { CodecError } from '../node/protocol/codec.ts';
import type { LungName } from '../node/protocol/events.ts';
import { decodeBatch, encodeBatch } from '../node/protocol/gossip/batch.ts';
import type { RecordId } from '../node/protocol/ids.ts';
import { signRecord, type SignedRecord } from '../node/protocol/state/record.ts';
import type { Checks } from './checks.ts';
import type { Platter } from './disk.ts';
import type { Faults } from './faults.ts';
import type { Host } from './host.ts';
import type { Forgery, Schedule, Step } from './schedule.ts';
import { Wire } from './wire.ts';
import type { Quality, World } from './world.ts';

export interface ConductorModules {
  readonly world: World;
  readonly hosts: readonly Host[];
  readonly faults: Faults;
  readonly checks: Checks;
}

/** With one lung left, a write is made after so long: the change of lung is over (budget 1.5 s), backed-off polls too. */
const ONE_LUNG_AFTER_MS = 3_500;
/** And must be everywhere within so long, plus what bad links take. */
const ONE_LUNG_BUDGET_MS = 2_000;

export class Conductor {
  readonly #modules: ConductorModules;
  readonly #schedule: Schedule;
  readonly #backups = new Map<number, Platter>();
  /** a wire that always decodes and verifies: what is forged goes through it */
  readonly #wire = new Wire(true);
  /** what ends the faults under way */
  readonly #ends = new Set<() => void>();
  #written = 0;

  constructor(modules: ConductorModules, schedule: Schedule) {
    this.#modules = modules;
    this.#schedule = schedule;
  }

  /** Writes that were asked for. */
  get written(): number {
    return this.#written;
  }

  /** Plans every step. */
  begin(): void {
    const { world } = this.#modules;
    for (const step of this.#schedule.steps) {
      world.after(step.at - world.now, () => {
        world.note(`#${step.id} ${step.do}`);
        this.#perform(step);
      });
    }
  }

  /** Ends every fault that is not over. */
  finish(): void {
    for (const end of this.#ends) end();
  }

  /** Writes a unique fact; `done` hears whether it was acknowledged. */
  write(host: Host, key: string, value: string, wait: Parameters<Host['write']>[2], done?: () => void): void {
    const { checks } = this.#modules;
    const { restores } = checks;
    this.#written += 1;
    host.write(
      [{ key, value }],
      (outcome) => {
        if (!outcome.ok) return;
        checks.acknowledge(host, outcome, restores, wait ?? null);
        const [written] = outcome.written;
        if (written !== undefined) checks.fact(key, value, written.version as RecordId);
        done?.();
      },
      wait ?? null,
    );
  }

  #perform(step: Step): void {
    const { faults } = this.#modules;
    switch (step.do) {
      case 'facts':
        return this.#facts(step);
      case 'share':
        for (const number of step.hosts) this.#share(this.#host(number), `shared/${step.key}`, step.id);
        return;
      case 'delete':
        return this.#delete(this.#host(step.host), factKey(step.fact, 0));
      case 'cut':
        return this.#until(step.forMs, faults.cut(step.paths));
      case 'delay':
        return this.#until(step.forMs, faults.delay(step.paths, step.byMs));
      case 'kill':
        return this.#kill(step);
      case 'backup':
        this.#backups.set(step.id, this.#host(step.host).backup());
        return;
      case 'stall':
        return this.#host(step.host).stall(step.forMs);
      case 'clock': {
        const host = this.#host(step.host);
        const { checks } = this.#modules;
        host.clockOffsetMs += step.byMs;
        checks.clockMoved(host);
        return this.#until(step.forMs, () => {
          host.clockOffsetMs -= step.byMs;
          checks.clockMoved(host);
        });
      }
      case 'force': {
        const host = this.#host(step.host);
        host.force(step.mode);
        return this.#until(step.forMs, () => host.force(null));
      }
      case 'forge':
        return this.#forge(this.#host(step.host), step.how, `forged/${step.id}`);
      case 'equivocate':
        return this.#equivocate(this.#host(step.host), this.#host(step.to));
      case 'one-lung':
        return this.#oneLung(step);
    }
  }

  // ── writes ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #facts({ id, host: number, count, gapMs, bytes, wait }: Step & { readonly do: 'facts' }): void {
    const host = this.#host(number);
    const one = (i: number): void => {
      const key = factKey(id, i);
      if (host.isUp) this.write(host, key, JSON.stringify(`${key} ${'x'.repeat(bytes)}`), wait);
    };
    for (let i = 0; i < count; i += 1) {
      if (i * gapMs === 0) one(i);
      else this.#modules.world.after(i * gapMs, () => one(i));
    }
  }

  #share(host: Host, key: string, id: number): void {
    if (!host.isUp) return;
    this.#written += 1;
    const { checks } = this.#modules;
    const { restores } = checks;
    host.write([{ key, value: `"${id} of ${host.number}"` }], (outcome: WriteOutcome) => {
      if (outcome.ok) checks.acknowledge(host, outcome, restores, null);
    });
  }

  #delete(host: Host, key: string): void {
    const { checks } = this.#modules;
    const isKnown = host.isUp && (host.core.replica.get(key)?.winner.value ?? null) !== null;
    if (!isKnown) return;
    this.#written += 1;
    checks.deleting(key);
    const { restores } = checks;
    host.write([{ key, value: null }], (outcome) => {
      if (outcome.ok) checks.acknowledge(host, outcome, restores, null);
    });
  }

  // ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #kill({ host: number, forMs, keepsSyncing, backup }: Step & { readonly do: 'kill' }): void {
    const host = this.#host(number);
    if (!host.isUp) return;
    host.kill(keepsSyncing);
    const platter = backup === null ? undefined : this.#backups.get(backup);
    if (platter !== undefined) {
      this.#modules.checks.restoring(host, platter);
      host.restore(platter);
    }
    const { life } = host;
    this.#until(forMs, () => {
      if (!host.isUp && host.life === life) host.start();
    });
  }

  /** Through the real decoder and the real verification. */
  #forge(host: Host, how: Forgery, key: string): void {
    const { checks, hosts } = this.#modules;
    const [peer] = host.core.peers();
    if (!host.isUp || peer === undefined) return;
    const liar = hosts[(host.number + 1) % hosts.length] ?? host;
    const author = how === 'author' ? host : liar;
    const fields = {
      key,
      value: '"0"',
      dot: { author: author.id, sequence: 1 + Math.floor(host.wallMs()) },
      context: [],
      stamp: { wallMs: host.wallMs(), counter: 0 },
    };
    const honest = signRecord(fields, (bytes) => liar.signAs(bytes));
    const records = this.#opened(encodeBatch([{ ...honest, bytes: forgedBytes(honest, how) }]), how);
    if (records !== null) host.receive(() => host.step({ type: 'gossip', peer: peer.id, records }));
    checks.forged(host, key, records !== null);
  }

  #opened(batch: Uint8Array, how: Forgery) {
    try {
      return this.#wire.verifyAll(decodeBatch(how === 'cut-short' ? batch.subarray(0, -1) : batch));
    } catch (error) {
      if (error instanceof CodecError) return null;
      throw error;
    }
  }

  #equivocate(author: Host, to: Host): void {
    if (!author.isUp || !to.isUp) return;
    let newest: SignedRecord | null = null;
    for (const record of author.disk.platter.records.values()) {
      if (record.dot.author === author.id && record.dot.sequence > (newest?.dot.sequence ?? 0))
        newest = record;
    }
    if (newest === null) return;
    this.#modules.checks.willSignTwice(newest);
    const stamp = { wallMs: newest.stamp.wallMs + 1, counter: 0 };
    const other = signRecord({ ...newest, value: '"signed twice"', stamp }, (bytes) => author.signAs(bytes));
    to.receive(() => to.plant([other]));
  }

  #oneLung({ id, forMs, lung, host, deaf }: Step & { readonly do: 'one-lung' }): void {
    const { world, hosts, faults, checks } = this.#modules;
    const all = hosts.map(({ number }) => number);
    const cut: LungName = lung === 'p2p' ? 'http' : 'p2p';
    this.#until(forMs, faults.cut({ from: all, to: all, lungs: [cut], oneWay: true }));
    if (deaf !== null) this.#until(forMs, faults.deafen(deaf));
    const budgetMs = ONE_LUNG_BUDGET_MS + patience(this.#schedule.options.quality[lung]);
    if (this.#schedule.options.degree !== null || forMs < ONE_LUNG_AFTER_MS + budgetMs) return;
    // What a deaf host writes must get out, and what others write must get in.
    const writers = new Set(deaf === null ? [host] : [host, deaf, (deaf + 1) % hosts.length]);
    world.after(ONE_LUNG_AFTER_MS, () => {
      const isCalm = hosts.every((one) => one.isUp && !one.isStalled && one.core.mode().forced === null);
      for (const number of writers) {
        const writer = this.#host(number);
        if (!isCalm || !writer.core.clock().isSane) continue;
        const key = `one-lung/${id}/${number}`;
        let isAcknowledged = false;
        this.write(writer, key, '"fresh"', null, () => {
          isAcknowledged = true;
        });
        world.after(budgetMs, () => {
          const without = hosts.filter((one) => one.core.replica.get(key) === null);
          if (!isAcknowledged || without.length === 0) return;
          const names = without.map((one) => one.number).join(', ');
          const what = `${budgetMs} ms after a write on host ${number}, host ${names} lacks it`;
          checks.fail(
            'liveness',
            'P4',
            `over ${lung} alone${deaf === null ? '' : `, ${deaf} deaf`}, ${what}`,
          );
        });
      }
    });
  }

  #until(forMs: number, end: () => void): void {
    const once = (): void => {
      if (this.#ends.delete(once)) end();
    };
    this.#ends.add(once);
    this.#modules.world.after(forMs, once);
  }

  #host(number: number): Host {
    const host = this.#modules.hosts[number];
    if (host === undefined) throw new RangeError(`no host ${number}`);
    return host;
  }
}

/** Twenty one-way trips, and where packets get lost two exchanges that time out. */
function patience({ latencyMs, loss, reorder }: Quality): number {
  return Math.round(20 * latencyMs[1] * (reorder > 0 ? 3 : 1)) + (loss > 0 ? 2_000 : 0);
}

function factKey(step: number, i: number): string {
  return `fact/${step}/${i}`;
}

function forgedBytes(honest: SignedRecord, how: Forgery): Uint8Array {
  const bytes = Uint8Array.from(honest.bytes);
  const at = how === 'signature' ? bytes.length - 1 : valueAt(bytes);
  if (how === 'signature' || how === 'value') bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

/** The digit in the value "0", which ends before the 64 bytes of the signature. */
function valueAt(bytes: Uint8Array): number {
  return bytes.length - 64 - 2;
}
