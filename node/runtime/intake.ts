/**
 * From what a lung delivers to inputs of the core: decodes, has every signature verified, and turns away the rest. Records are
 * handed to the verifier in slices, so that a large reply does not hold up the heartbeats.
 */
import type { LungEvent, LungSink, Verifier } from '../ports.ts';
import type { Input } from '../protocol/border.ts';
import { CodecError } from '../protocol/codec.ts';
import type { LatticeEvent, LungName } from '../protocol/events.ts';
import { decodeBatch } from '../protocol/gossip/batch.ts';
import type { NodeId } from '../protocol/ids.ts';
import { trustStored, type SignedRecord, type VerifiedRecord } from '../protocol/state/record.ts';
import type { Replica } from '../protocol/state/replica.ts';
import { decodeReply, decodeRequest } from '../protocol/sync/codec.ts';
import { isPush, recordsOf } from '../protocol/sync/messages.ts';
import type { Driver } from './driver.ts';

export interface IntakeModules {
  readonly driver: Pick<Driver, 'dispatch' | 'expectAnswer' | 'failure'>;
  readonly core: { readonly replica: Pick<Replica, 'record'> };
  readonly verifier: Verifier;
  readonly emit: (event: LatticeEvent) => void;
  /** a member was met over this lung */
  readonly met: (peer: NodeId, lung: LungName) => void;
}

export interface IntakeOptions {
  /** Records handed to the verifier before other events get their turn; default 64, i.e. 0.2 ms, and 4 ms of a thread's work. */
  readonly sliceRecords: number;
  /** Records of a page that are merged before other events get their turn; default 1024, i.e. 20 ms. Fewer make more commits, each with its root. */
  readonly partRecords: number;
  /** Records that may wait for verification; default 50000, two pages of the smallest ones. Beyond, gossip is left to anti-entropy and questions are refused. */
  readonly waitingMax: number;
  /** Their bytes at most; default 32 MiB. */
  readonly waitingBytesMax: number;
}

export const INTAKE_DEFAULTS: IntakeOptions = {
  sliceRecords: 64,
  partRecords: 1_024,
  waitingMax: 50_000,
  waitingBytesMax: 33_554_432,
};

export class Intake {
  readonly #modules: IntakeModules;
  readonly #options: IntakeOptions;
  #waiting = 0;
  #waitingBytes = 0;
  /** being verified, in the order in which they came; an input once that is done */
  readonly #pages: { input: Input | null }[] = [];

  constructor(modules: IntakeModules, options: IntakeOptions) {
    this.#modules = modules;
    this.#options = options;
  }

  /** The sink to start a lung with. */
  sinkOf(lung: LungName): LungSink {
    return (event) => this.#take(lung, event);
  }

  #take(lung: LungName, event: LungEvent): void {
    const { driver } = this.#modules;
    switch (event.type) {
      case 'link': {
        const reason = event.state === 'up' ? event.address : event.reason;
        if (event.state === 'up') this.#modules.met(event.peer, lung);
        return driver.dispatch({ type: 'link', peer: event.peer, lung, state: event.state, reason });
      }
      case 'heard':
        return driver.dispatch({
          type: 'heard',
          peer: event.peer,
          lung,
          rttMs: event.rttMs,
          beacon: event.beacon,
        });
      case 'silent':
        return driver.dispatch({ type: 'silent', peer: event.peer, lung, reason: event.reason });
      case 'gossip':
        return this.#gossip(lung, event.peer, event.bytes);
      case 'asked':
        return this.#asked(lung, event.peer, event.bytes, event.answer);
      case 'answered':
        return this.#answered(lung, event.peer, event.exchange, event.bytes);
      case 'unanswered': {
        const { peer, exchange, reason, doubt = null } = event;
        return driver.dispatch({ type: 'unanswered', peer, lung, exchange, reason, doubt });
      }
      case 'twin':
        return driver.dispatch(event);
      case 'refused':
        return this.#modules.emit({
          type: 'refused',
          peer: event.peer,
          lung,
          what: event.what,
          reason: event.reason,
        });
    }
  }

  #gossip(lung: LungName, peer: NodeId, bytes: Uint8Array): void {
    const decoded = this.#decode(lung, peer, () => decodeBatch(bytes));
    if (decoded === null) return;
    this.#verify(lung, peer, decoded, (records) => {
      if (records !== null) this.#modules.driver.dispatch({ type: 'gossip', peer, records });
    });
  }

  #asked(lung: LungName, peer: NodeId, bytes: Uint8Array, answer: (bytes: Uint8Array | null) => void): void {
    const message = this.#decode(lung, peer, () => decodeRequest(bytes));
    if (message === null) return answer(null);
    const offered = recordsOf(message);
    if (offered.length > 0 && !isPush(message)) this.#modules.driver.dispatch({ type: 'asking', peer, lung });
    this.#verify(lung, peer, offered, (records) => {
      // The answer counts the records by their places; and "taken" would be said of one that was not.
      if (records === null || records.length < offered.length) return answer(null);
      const exchange = this.#modules.driver.expectAnswer(answer);
      const verified = 'records' in message ? { ...message, records } : message;
      this.#modules.driver.dispatch({ type: 'asked', peer, lung, exchange, message: verified });
    });
  }

  #answered(lung: LungName, peer: NodeId, exchange: number, bytes: Uint8Array): void {
    const { driver } = this.#modules;
    const message = this.#decode(lung, peer, () => decodeReply(bytes));
    if (message === null)
      return driver.dispatch({ type: 'unanswered', peer, lung, exchange, reason: 'broken_reply' });
    const page = message.type === 'missing' ? message : null;
    const give = page === null ? (input: Input): void => driver.dispatch(input) : this.#inTurn();
    const part = (records: readonly VerifiedRecord[]): void => {
      if (page !== null)
        driver.dispatch({ type: 'arriving', peer, lung, exchange, after: page.after, records });
    };
    const judged = (records: readonly VerifiedRecord[] | null): void => {
      if (records === null) {
        const reason = 'too_many_records_waiting';
        return give({ type: 'unanswered', peer, lung, exchange, reason });
      }
      const verified = 'records' in message ? { ...message, records } : message;
      give({ type: 'answered', peer, lung, exchange, message: verified });
    };
    this.#verify(lung, peer, recordsOf(message), judged, page === null ? undefined : part);
    if (page !== null && page.after !== null) part([]);
  }

  /** Pages become inputs in the order in which they came: each may have been asked for before the last one was verified. */
  #inTurn(): (input: Input) => void {
    const page: { input: Input | null } = { input: null };
    this.#pages.push(page);
    return (input) => {
      page.input = input;
      for (let first = this.#pages[0]; first !== undefined && first.input !== null; [first] = this.#pages) {
        this.#pages.shift();
        this.#modules.driver.dispatch(first.input);
      }
    };
  }

  /**
   * While the store refuses commits nothing new is taken in: what cannot be kept would only grow in memory.
   *
   * @param part takes sound records before the others are verified: merging a page at once would hold up the heartbeats
   */
  #verify(
    lung: LungName,
    peer: NodeId,
    records: readonly SignedRecord[],
    done: (records: readonly VerifiedRecord[] | null) => void,
    part?: (records: readonly VerifiedRecord[]) => void,
  ): void {
    if (records.length === 0) return done([]);
    if (this.#modules.driver.failure !== null) return done(null);
    const bytes = records.reduce((sum, record) => sum + record.bytes.length, 0);
    const { waitingMax, waitingBytesMax } = this.#options;
    if (this.#waiting + records.length > waitingMax || this.#waitingBytes + bytes > waitingBytesMax) {
      this.#modules.emit({
        type: 'refused',
        peer,
        lung,
        what: 'message',
        reason: 'too_many_records_waiting',
      });
      return done(null);
    }
    const verdicts = Array.from(records, (): VerifiedRecord | null => null);
    const sound = (): readonly VerifiedRecord[] => verdicts.filter((verdict) => verdict !== null);
    let left = records.length;
    let since = 0;
    const judge = (position: number, verdict: VerifiedRecord | null): void => {
      verdicts[position] = verdict;
      if (verdict === null)
        this.#modules.emit({ type: 'refused', peer, lung, what: 'record', reason: 'bad_signature' });
    };
    const judged = (count: number): void => {
      left -= count;
      this.#waiting -= count;
      since += count;
      if (left === 0 && count > 0) {
        this.#waitingBytes -= bytes;
        return done(sound());
      }
      if (part === undefined || since < this.#options.partRecords) return;
      part(sound());
      verdicts.fill(null);
      since = 0;
    };
    this.#waiting += records.length;
    this.#waitingBytes += bytes;
    const slice = (from: number): void => {
      const to = Math.min(from + this.#options.sliceRecords, records.length);
      if (to < records.length) setImmediate(slice, to);
      const unknown: { readonly position: number; readonly record: SignedRecord }[] = [];
      for (const [at, record] of records.slice(from, to).entries()) {
        const known = this.#known(record);
        if (known === null) unknown.push({ position: from + at, record });
        else judge(from + at, known);
      }
      judged(to - from - unknown.length);
      if (unknown.length === 0) return;
      this.#modules.verifier.verify(
        unknown.map(({ record }) => record),
        (found) => {
          for (const [at, { position }] of unknown.entries()) judge(position, found[at] ?? null);
          judged(unknown.length);
        },
      );
    };
    slice(0);
  }

  /** A record known here was verified when it came; its twin (same id, perhaps another valid signature) says nothing new. */
  #known({ id }: SignedRecord): VerifiedRecord | null {
    const known = this.#modules.core.replica.record(id);
    return known === null ? null : trustStored(known);
  }

  #decode<T>(lung: LungName, peer: NodeId, decode: () => T): T | null {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.#modules.emit({ type: 'refused', peer, lung, what: 'message', reason: error.reason });
      return null;
    }
  }
}
