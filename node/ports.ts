/**
 * What the runtime needs of the world, and what the world may ask of the runtime. Adapters (lungs, storage, http,
 * observe) implement or use these and know nothing of one another; compose.ts makes them meet.
 */
import type { AckDemand, Beacon, Precondition, WriteEntry, WriteOutcome } from './protocol/border.ts';
import type { DatedEvent, LinkState, LungName, SyncMode } from './protocol/events.ts';
import type { Digest, NodeId } from './protocol/ids.ts';
import type { SignedRecord, VerifiedRecord } from './protocol/state/record.ts';
import type { StoredRecord } from './protocol/state/write.ts';
import type { SizeDoubt } from './protocol/sync/loads.ts';

/** A way to reach the other members: a transport with its exchange discipline. Deals in bytes, never in records. */
export interface Lung {
  readonly name: LungName;
  /** Resolves when the lung works, throws a named error with a `code` when it cannot. */
  start(sink: LungSink): Promise<void>;
  /** Ends every socket, timer and pending exchange. Idempotent; safe before `start` ended. */
  stop(): Promise<void>;
  /**
   * Never throws and never blocks: failures come back through the sink. The sink is never called before `perform` returns, so
   * whoever performs is not entered again; what fails at once is told in a later turn, and not at all after `stop`.
   */
  perform(effect: LungEffect): void;
  /**
   * Lets the lung know another place where a member may be: a multiaddr for p2p, a base URL for http.
   * @param isTold only a third member says so: it is tried a few times, and forgotten where nobody proves to be a member
   */
  addAddress(address: string, isTold?: boolean): void;
}

/** A member as another one knows it: multiaddrs and base URLs. */
export interface ToldMember {
  readonly peer: NodeId;
  readonly addresses: readonly string[];
}
/** In one telling, and of each of them. */
export const TOLD_MEMBERS_MAX = 64;
export const TOLD_ADDRESSES_MAX = 4;

export type LungSink = (event: LungEvent) => void;

/** Bounded everywhere: no batch of gossip above this is sent, and a larger one that arrives is refused. */
export const MESSAGE_BYTES_MAX = 1_048_576;
/** The same for a question or an answer of anti-entropy; a larger one ends its stream. */
export { EXCHANGE_BYTES_MAX } from './protocol/sync/messages.ts';

export type LungEffect =
  | { readonly type: 'publish'; readonly bytes: Uint8Array }
  | { readonly type: 'beat'; readonly peer: NodeId; readonly beacon: Beacon }
  | { readonly type: 'poll'; readonly peer: NodeId; readonly root: Digest; readonly waitMs: number }
  | {
      readonly type: 'ask';
      readonly peer: NodeId;
      readonly exchange: number;
      readonly bytes: Uint8Array;
      readonly timeoutMs: number;
    }
  | { readonly type: 'reset'; readonly peer: NodeId };

export type LungEvent =
  /** an authenticated way to this member is there (p2p: connected and subscribed to the topic; http: a signed answer) */
  | { readonly type: 'link'; readonly peer: NodeId; readonly state: 'up'; readonly address: string }
  /** the last such way is gone for certain (closed, reset, aborted), not merely silent */
  | { readonly type: 'link'; readonly peer: NodeId; readonly state: 'down'; readonly reason: string }
  /** something of this member arrived: evidence */
  | {
      readonly type: 'heard';
      readonly peer: NodeId;
      readonly rttMs: number | null;
      readonly beacon: Beacon | null;
    }
  /** a poll of this member failed */
  | { readonly type: 'silent'; readonly peer: NodeId; readonly reason: string }
  | { readonly type: 'gossip'; readonly peer: NodeId; readonly bytes: Uint8Array }
  /** a member asks; `answer` takes the reply once, null refuses */
  | {
      readonly type: 'asked';
      readonly peer: NodeId;
      readonly bytes: Uint8Array;
      readonly answer: (bytes: Uint8Array | null) => void;
    }
  | {
      readonly type: 'answered';
      readonly peer: NodeId;
      readonly exchange: number;
      readonly bytes: Uint8Array;
      readonly rttMs: number;
    }
  | {
      readonly type: 'unanswered';
      readonly peer: NodeId;
      readonly exchange: number;
      readonly reason: string;
      /** whether its size may be why; absent: nothing says so */
      readonly doubt?: SizeDoubt;
    }
  /** another live process has the identity of this member, which may be our own: its key signed that */
  | {
      readonly type: 'twin';
      readonly peer: NodeId;
      readonly instance: string;
      /** when it started, ms since the epoch */
      readonly sinceMs: number;
      /** it has our own identity, and started before us */
      readonly isOlder: boolean;
    }
  /** somebody without the cluster's key, or with a broken message, was turned away */
  | {
      readonly type: 'refused';
      readonly peer: NodeId | null;
      readonly what: 'message' | 'peer';
      readonly reason: string;
    };

/** What a lung's bytes are for; `poll`: state asked for over HTTP, `probe`: finding out who lives where. */
export type TrafficKind = 'beat' | 'gossip' | 'exchange' | 'poll' | 'probe';
/** Called by a lung for what it sends and takes; cheap, as it is called for each message. */
export type CountBytes = (direction: 'in' | 'out', kind: TrafficKind, bytes: number) => void;

/** What one commit changes, all or nothing. Slots are numbers chosen by the core, never reused within a process. */
export interface StoreBatch {
  readonly put: readonly { readonly slot: number; readonly bytes: Uint8Array }[];
  readonly remove: readonly number[];
  readonly meta: StoreMeta;
}

export interface StoreMeta {
  /** last sequence number this node used for its own records */
  readonly sequence: number;
  /** greatest hybrid logical clock stamp seen */
  readonly wallMs: number;
  readonly counter: number;
  /** opaque to the store; null in a store that never had any */
  readonly knowledge: Uint8Array | null;
}

/** A place where the store's bytes are not what was written. */
export interface StoreFault {
  /** null: not one record that can be told, but records that are gone */
  readonly slot: number | null;
  /** records that are gone by it; null where nobody can tell */
  readonly records: number | null;
  readonly detail: string;
  /** what stands in the record's place, not to be believed; null where nothing does */
  readonly bytes: Uint8Array | null;
}

/** In the state directory, made by the operator: go on without what is lost. */
export const ACCEPT_LOSS_FILE = 'accept-loss';

export interface Storage {
  /**
   * Every sound record kept, in slot order, at start. A record's bytes are good until the next one is asked for.
   *
   * @param damaged called while the records are taken, for what is not sound; every load reports it again until `mend`.
   *   Without it the first fault throws StorageCorruptError. Damage to `meta` always does.
   */
  load(damaged?: (fault: StoreFault) => void): {
    readonly meta: StoreMeta | null;
    readonly records: Iterable<{ readonly slot: number; readonly bytes: Uint8Array }>;
  };
  /** Resolves when the batch is durable: survives SIGKILL and power loss. Batches become durable in call order; concurrent calls share a flush. */
  commit(batch: StoreBatch): Promise<void>;
  /** What the last load reported was made good: it is dropped durably, and from now on what is there counts as whole. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

/** What is to become durable together, and what of it the author, who is this node, has not signed yet. */
export interface KeptBatch {
  /** by slot */
  readonly put: ReadonlyMap<number, SignedRecord>;
  readonly remove: readonly number[];
  /** own records without signatures, in `put` or replaced already */
  readonly drafts: readonly StoredRecord[];
  readonly meta: StoreMeta;
}

/** Signs and stores for the driver. */
export interface Keeper {
  /**
   * Drafts that one of the next batches brings, all of them, in the order in which they come: they may be signed ahead. Their bytes
   * must stay as they are until then.
   */
  prepare(drafts: readonly StoredRecord[]): void;
  /** Resolves when the drafts have their signatures in their bytes and the batch is durable, as with `Storage.commit`. */
  keep(batch: KeptBatch): Promise<void>;
}

/** Verifies the signatures of members' records. */
export interface Verifier {
  /**
   * Judges each record as `verifyRecord` does. What is asked later may be told earlier. The caller bounds how much is asked at once.
   *
   * @param told called once, with a verdict for each record at its place; before `verify` returns where records are few
   */
  verify(
    records: readonly SignedRecord[],
    told: (verdicts: readonly (VerifiedRecord | null)[]) => void,
  ): void;
}

export interface Clock {
  /** ms since the epoch; may jump */
  wallMs(): number;
  /** ms since some start; never goes back */
  monotonicMs(): number;
  /** @returns a function that cancels */
  after(ms: number, run: () => void): () => void;
  /** how late timers were of late, ms; absent where nobody watches them */
  lagMs?(): number;
}

export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}
/** `tag` is printed as `[TAG]` in front of the message: STARTUP, LATTICE_P2P, P2P_HEARTBEAT, HTTP_SYNC, RECONCILIATION */
export type LogFields = { readonly tag?: string } & Readonly<Record<string, unknown>>;

/** Ed25519 key of this node, kept in the state directory. */
export interface Identity {
  readonly id: NodeId;
  /** 32 bytes */
  readonly publicKey: Uint8Array;
  /** 32 bytes; never logged */
  readonly seed: Uint8Array;
  /** 64 bytes over the given bytes */
  sign(bytes: Uint8Array): Uint8Array;
}

export interface LinkStatus {
  readonly state: LinkState;
  readonly lastHeardMs: number | null;
  readonly rttMs: number | null;
}

export interface PeerStatus {
  readonly peerId: NodeId;
  readonly url: string | null;
  readonly p2p: LinkStatus;
  readonly http: LinkStatus;
  readonly root: Digest | null;
}

/** Who counts for `w=`. */
interface MembersStatus {
  /** this node included */
  readonly counted: number;
  /** what `w=majority` needs */
  readonly majority: number;
  /** met and not heard now, longest silent first; times in ms since the epoch, null: not known, and: does not count */
  readonly absent: readonly {
    readonly id: NodeId;
    readonly heardAtMs: number | null;
    readonly countsUntilMs: number | null;
  }[];
}

export interface NodeStatus {
  readonly name: string;
  /** which slot of a shared volume holds the state; null: the state directory is the node's own */
  readonly slot: number | null;
  readonly peerId: NodeId;
  readonly p2p: {
    readonly enabled: boolean;
    readonly started: boolean;
    readonly error: string | null;
    readonly topic: string;
    readonly listenMultiaddrs: readonly string[];
    readonly bootstrapPeers: readonly string[];
  };
  readonly httpUrls: readonly string[];
  readonly mode: SyncMode;
  readonly forcedMode: 'P2P' | 'HTTP' | null;
  /** ms since the epoch */
  readonly modeSince: number;
  readonly lastSwitch: {
    readonly from: SyncMode;
    readonly to: SyncMode;
    readonly reason: string;
    readonly at: number;
  } | null;
  readonly root: Digest;
  /** keys that have a value */
  readonly size: number;
  /** what the records take in memory, about, and may take at most; Infinity: no bound */
  readonly room: { readonly bytes: number; readonly bytesMax: number };
  readonly peers: readonly PeerStatus[];
  readonly members: MembersStatus;
  /** what an operator should look at although the node serves */
  readonly warnings: readonly string[];
}

export interface ReadEntry {
  readonly key: string;
  /** JSON text; null: the winner is a tombstone, shown only because concurrent writes lost to it (`siblings`) */
  readonly value: string | null;
  readonly version: string;
  readonly author: NodeId;
  /** ms since the epoch, from the record's stamp */
  readonly timestamp: number;
  /** concurrent records that lost; value null is a concurrent delete */
  readonly siblings: readonly {
    readonly value: string | null;
    readonly version: string;
    readonly author: NodeId;
    readonly timestamp: number;
  }[];
}

/** JSON that a third party checks offline (protocol/state/proof-document.ts has its shape). */
export type ProofDocument = object;

/** How a write ended, and the root of the state that was durable then: with the write, where it was written. */
export type WriteAnswer = WriteOutcome & { readonly root: Digest };

/** What the HTTP API asks of the node. Reads wait for a flush under way, so nothing is shown that a crash could take back. */
export interface LatticeApi {
  /** Resolves after the records are durable here. Rejects with the store's StorageFailedError or with NodeStoppingError. */
  write(
    entries: readonly WriteEntry[],
    precondition: Precondition | null,
    acks: AckDemand | null,
  ): Promise<WriteAnswer>;
  /** Where no flush is under way, the entry itself: most reads wait for nothing. */
  read(key: string): ReadEntry | null | Promise<ReadEntry | null>;
  /** Inclusion or non-inclusion, of the state at the call, as `read` in the same turn shows it. */
  proof(key: string): Promise<ProofDocument>;
  state(): Promise<{ readonly root: Digest; readonly size: number }>;
  /** As `state`, but waits up to `waitMs` while the root is still `root`. */
  stateUnlike(
    root: string,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<{ readonly root: Digest; readonly size: number }>;
  /**
   * Live entries in key order (UTF-8 bytes), behind the key `after` when given. No more is looked at than is shown: a page ends
   * before `bytesMax` of values, siblings included, but for its first entry. `next` is its last key where more follow.
   */
  entries(
    after: string | null,
    limit: number,
    bytesMax: number,
  ): Promise<{ readonly entries: readonly ReadEntry[]; readonly next: string | null }>;
  status(): NodeStatus;
  force(mode: 'P2P' | 'HTTP' | null): void;
  /** what an operator should look at although the node serves */
  warnings(): readonly string[];
  /** reasons why the node is not ready; empty when it is */
  notReady(): readonly string[];
  subscribe(listener: (event: DatedEvent) => void): () => void;
  sign(bytes: Uint8Array): Uint8Array;
}
