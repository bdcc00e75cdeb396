/**
 * Who else holds this node's identity. A state directory that was copied, or a machine that was restored beside its original, makes two
 * live nodes with one key: each uses sequences that the other uses too. Every process draws an instance at its start and tells it with each
 * request and answer; a member that hears two instances of one identity tells each of the other.
 *
 * A hint proves nothing: an instance may be one that was killed a moment ago. Proof is a statement that the identity's own key signed:
 * "I am instance X since T, and I have heard of instance Y". Only a process that held the key after Y had begun can sign it, so Y, once
 * it is shown that statement, knows that it is not alone; neither a restart nor a replayed packet can show it. Of the two the one that
 * started later stops writing, by what both have signed, so that both decide alike (ADR 29).
 *
 *   aethel-holder   of the sender: instance, since [, over, signature]…
 *   aethel-twins    other instances of the receiver's identity that the sender heard of: the same, separated by commas
 */
import type { Clock } from '../../ports.ts';
import { publicKeyOf, type NodeId } from '../../protocol/ids.ts';
import { verifySignature } from '../../protocol/state/signature.ts';

export const HOLDER_HEADER = 'aethel-holder';
export const TWINS_HEADER = 'aethel-twins';

/** Another live process with the identity of `peer`, which may be our own. */
export interface Twin {
  readonly peer: NodeId;
  readonly instance: string;
  /** when it started, ms since the epoch by its own clock */
  readonly sinceMs: number;
  /** it is our own identity's, and older than we are */
  readonly isOlder: boolean;
}

export interface HoldersModules {
  readonly self: NodeId;
  /** 16 random bytes of this process, hex */
  readonly instance: string;
  /** when it started, ms since the epoch */
  readonly sinceMs: number;
  readonly sign: (bytes: Uint8Array) => Uint8Array;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** What goes with a request or an answer. */
export type HolderHeaders = Readonly<Record<string, string>>;

/** What an instance says of another one: it heard of it. */
interface Statement {
  readonly over: string;
  /** hex */
  readonly signature: string;
}

interface Told {
  readonly instance: string;
  readonly sinceMs: number;
  readonly statements: readonly Statement[];
}

interface Instance {
  sinceMs: number;
  heardAt: number;
  /** by the instance that it heard of */
  readonly statements: Map<string, string>;
  /** is known to have been alive together with another one */
  isTold: boolean;
}

type Instances = Map<string, Instance>;

/** An instance not heard for so long is not told of, ms: two warm polls and a half. A guess. */
const FRESH_MS = 30_000;
/** Of one identity; more are a liar's. */
const INSTANCES_MAX = 4;
/** Identities, and one header's length: what is longer is not read. */
const PEERS_MAX = 1_024;
const HEADER_CHARACTERS_MAX = 4_096;

export class Holders {
  readonly #modules: HoldersModules;
  readonly #peers = new Map<NodeId, Instances>();
  readonly #own: Told;
  /** of our own identity, with our statement on each */
  readonly #others: Instances = new Map();
  /** of these, those that our own key vouches for: nobody else can add any */
  readonly #proven = new Set<string>();
  #onNews: (peer: NodeId) => void = () => undefined;
  #onTwin: (twin: Twin) => void = () => undefined;

  constructor(modules: HoldersModules) {
    this.#modules = modules;
    this.#own = { instance: modules.instance, sinceMs: modules.sinceMs, statements: [] };
  }

  /** @param onNews this member, or another holder of our own identity, should be asked anew at once: there is something to tell it */
  listen(onNews: (peer: NodeId) => void, onTwin: (twin: Twin) => void): void {
    this.#onNews = onNews;
    this.#onTwin = onTwin;
  }

  /** @param peer whoever gets them; null when that is not known */
  headersFor(peer: NodeId | null): HolderHeaders {
    const statements = [...this.#fresh(this.#others)].map(([over]) => ({
      over,
      signature: this.#sign(over),
    }));
    const own = { [HOLDER_HEADER]: textOf({ ...this.#own, statements }) };
    const known = peer === null || peer === this.#modules.self ? undefined : this.#peers.get(peer);
    if (known === undefined || known.size < 2) return own;
    const twins = [...this.#fresh(known)].map(([instance, { sinceMs, statements: given }]) =>
      textOf({
        instance,
        sinceMs,
        statements: [...given].map(([over, signature]) => ({ over, signature })),
      }),
    );
    return twins.length < 2 ? own : { ...own, [TWINS_HEADER]: twins.join(',') };
  }

  /**
   * A member has asked, or answered.
   *
   * @param holder and `twins`: the headers, '' where there are none
   * @returns whether it is another process with our own identity
   */
  hear(member: NodeId, holder: string, twins: string): boolean {
    const { self, instance } = this.#modules;
    const [sender] = toldIn(holder);
    const isTwin = member === self && sender !== undefined && sender.instance !== instance;
    let isNews = toldIn(twins)
      .map((told) => this.#hearOther(told))
      .includes(true);
    if (isTwin) isNews = this.#hearOther(sender) || isNews;
    else if (member !== self && sender !== undefined) isNews = this.#hearPeer(member, sender) || isNews;
    if (isNews) this.#onNews(member);
    return isTwin;
  }

  #hearPeer(peer: NodeId, told: Told): boolean {
    const known = this.#peers.get(peer) ?? this.#remember(peer);
    const { entry, isNew } = this.#note(known, told);
    let isNews = isNew && [...this.#fresh(known)].length > 1;
    for (const { over, signature } of told.statements) {
      const other = known.get(over);
      if (other === undefined || entry.statements.get(over) === signature) continue;
      if (!this.#isSigned(peer, told, over, signature)) continue;
      entry.statements.set(over, signature);
      isNews = true;
      // Each was alive after the other had begun. One statement alone may be that of a process that was told of its former life.
      if (!other.statements.has(told.instance) || (entry.isTold && other.isTold)) continue;
      entry.isTold = true;
      other.isTold = true;
      this.#onTwin({ peer, instance: told.instance, sinceMs: told.sinceMs, isOlder: false });
    }
    return isNews;
  }

  /** Somebody says that this instance has our own identity. */
  #hearOther(told: Told): boolean {
    const { self, instance } = this.#modules;
    if (told.instance === instance) return false;
    const { isNew } = this.#note(this.#others, told);
    const proof = told.statements.find(({ over }) => over === instance);
    if (proof === undefined || this.#proven.has(told.instance)) return isNew;
    if (!this.#isSigned(self, told, instance, proof.signature)) return isNew;
    this.#proven.add(told.instance);
    this.#onTwin({
      peer: self,
      instance: told.instance,
      sinceMs: told.sinceMs,
      isOlder: isOlder(told, this.#own),
    });
    return true;
  }

  #note(
    known: Instances,
    { instance, sinceMs }: Told,
  ): { readonly entry: Instance; readonly isNew: boolean } {
    const heardAt = this.#modules.clock.monotonicMs();
    const before = known.get(instance);
    const isNew = before === undefined || heardAt - before.heardAt > FRESH_MS;
    const entry = before ?? { sinceMs, heardAt, statements: new Map<string, string>(), isTold: false };
    known.delete(instance);
    entry.heardAt = heardAt;
    const [longestUnheard] = known.keys();
    if (known.size >= INSTANCES_MAX && longestUnheard !== undefined) known.delete(longestUnheard);
    known.set(instance, entry);
    return { entry, isNew };
  }

  #remember(peer: NodeId): Instances {
    const [oldest] = this.#peers.keys();
    if (this.#peers.size >= PEERS_MAX && oldest !== undefined) this.#peers.delete(oldest);
    const known: Instances = new Map();
    this.#peers.set(peer, known);
    return known;
  }

  *#fresh(known: Instances): Iterable<[string, Instance]> {
    const now = this.#modules.clock.monotonicMs();
    for (const [instance, entry] of known) if (now - entry.heardAt <= FRESH_MS) yield [instance, entry];
  }

  /** Once for each instance heard of. */
  #sign(over: string): string {
    const entry = this.#others.get(over);
    const known = entry?.statements.get(over);
    if (known !== undefined) return known;
    const { self, sign } = this.#modules;
    const signature = Buffer.from(sign(statementOf(self, this.#own, over))).toString('hex');
    entry?.statements.set(over, signature);
    return signature;
  }

  #isSigned(peer: NodeId, told: Told, over: string, signature: string): boolean {
    return verifySignature(Buffer.from(signature, 'hex'), statementOf(peer, told, over), publicKeyOf(peer));
  }
}

/** Which of two processes started first; of two that say the same, one, and the same one to both. */
function isOlder(one: Told, other: Told): boolean {
  return one.sinceMs === other.sinceMs ? one.instance < other.instance : one.sinceMs < other.sinceMs;
}

/** What is signed. */
function statementOf(id: NodeId, { instance, sinceMs }: Told, over: string): Uint8Array {
  return Buffer.from(`aethel/holder/v1\n${id}\n${instance}\n${sinceMs}\n${over}`);
}

function textOf({ instance, sinceMs, statements }: Told): string {
  return [instance, sinceMs, ...statements.flatMap(({ over, signature }) => [over, signature])].join(' ');
}

const INSTANCE = /^[0-9a-f]{32}$/;
const SINCE = /^[0-9]{1,15}$/;
const SIGNATURE = /^[0-9a-f]{128}$/;

/** @returns what a header tells; nothing of it where it is malformed */
function toldIn(header: string): readonly Told[] {
  if (header === '' || header.length > HEADER_CHARACTERS_MAX) return [];
  const all = header.split(',').map(toldOf);
  return all.length > INSTANCES_MAX ? [] : all.filter((told) => told !== null);
}

function toldOf(text: string): Told | null {
  const [instance = '', since = '', ...rest] = text.trim().split(' ');
  if (!INSTANCE.test(instance) || !SINCE.test(since) || rest.length > 2 * INSTANCES_MAX) return null;
  const statements: Statement[] = [];
  for (let at = 0; at < rest.length; at += 2) {
    const [over = '', signature = ''] = rest.slice(at, at + 2);
    if (!INSTANCE.test(over) || !SIGNATURE.test(signature)) return null;
    statements.push({ over, signature });
  }
  return { instance, sinceMs: Number(since), statements };
}
