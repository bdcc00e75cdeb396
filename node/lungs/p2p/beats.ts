/**
 * Heartbeats on a direct stream. Each side opens one long-lived stream for its own beats, so a beat measures the
 * way to the peer and nothing else: not gossip's queue, not a mesh. Beats never wait in a queue: when the stream is
 * backed up or still opening, only the newest is worth sending, and a late heartbeat is a lie.
 */
import type { Clock } from '../../ports.ts';
import type { Beacon } from '../../protocol/border.ts';
import { ByteReader, ByteWriter, CodecError } from '../../protocol/codec.ts';
import type { Digest, NodeId } from '../../protocol/ids.ts';
import { isNodeId } from '../../protocol/ids.ts';
import { VersionVector } from '../../protocol/state/version-vector.ts';
import { reasonOf } from './errors.ts';
import { FrameCutter, FrameError, frameOf } from './framing.ts';
import type { Connection, Stack, Stream } from './types.ts';
import { holdWindowUpdates } from './window-updates.ts';

const BEAT_PROTOCOL = '/aethel/beat/3.0.0';

/**
 * offset  0  u32  sequence, from 1, of this stream
 *         4  f64  sentMs: sender's monotonic clock
 *        12  f64  echoMs: sentMs of the last beat heard from the receiver, NaN when none
 *        20  f64  holdMs: how long ago that was heard
 *        28  u48  live records
 *        34  32   root
 *        66  u48  sender's wall clock, ms since the epoch; 0: not told
 *        72  u8   1: the sender watches the receiver, plus 2: it rests, plus 4: its store lost records
 *        73       sender's version vector, as in the messages of anti-entropy; nothing: not told
 */
const BEAT_BYTES = 73;
/** A vector of 64 authors with 64 ranges takes 3 KiB; a longer one is not told. */
export const BEAT_BYTES_MAX = 4_096;
const VECTOR_BYTES_MAX = BEAT_BYTES_MAX - BEAT_BYTES;
const NO_BYTES = new Uint8Array(0);
const RTT_MS_MAX = 600_000;
const STREAMS_MAX = 4;

export interface Beat {
  readonly sequence: number;
  readonly sentMs: number;
  readonly echo: { readonly sentMs: number; readonly holdMs: number } | null;
  readonly beacon: Beacon;
}

export interface BeatsModules {
  readonly stack: Stack;
  readonly clock: Clock;
  readonly connectionTo: (peer: NodeId) => Connection | null;
  readonly onHeard: (peer: NodeId, rttMs: number | null, beacon: Beacon) => void;
  readonly onRefused: (peer: NodeId, reason: string) => void;
  readonly onBytes: (direction: 'in' | 'out', bytes: number) => void;
}

interface Pulse {
  out: Stream | null;
  opening: boolean;
  sequence: number;
  /** the newest beacon given while the stream was opening */
  waiting: Beacon | null;
  in: Stream | null;
  heard: { readonly sentMs: number; readonly atMs: number } | null;
}

export class Beats {
  readonly #modules: BeatsModules;
  readonly #streamTimeoutMs: number;
  readonly #pulses = new Map<NodeId, Pulse>();

  constructor(modules: BeatsModules, options: { readonly streamTimeoutMs: number }) {
    this.#modules = modules;
    this.#streamTimeoutMs = options.streamTimeoutMs;
  }

  async start(): Promise<void> {
    await this.#modules.stack.handle(
      BEAT_PROTOCOL,
      (stream, connection) => this.#accept(stream, connection),
      {
        maxInboundStreams: STREAMS_MAX,
        maxOutboundStreams: STREAMS_MAX,
      },
    );
  }

  /** @returns whether the beat left; false when there is no way to the peer now */
  beat(peer: NodeId, beacon: Beacon): boolean {
    const connection = this.#modules.connectionTo(peer);
    if (connection === null) return false;
    const pulse = this.#pulseOf(peer);
    if (pulse.out !== null && pulse.out.status === 'open') return this.#send(pulse, pulse.out, beacon);
    pulse.waiting = beacon;
    if (!pulse.opening) void this.#open(peer, pulse, connection);
    return false;
  }

  /** The last connection of this peer is gone, and its streams with it. */
  forget(peer: NodeId): void {
    this.#pulses.delete(peer);
  }

  async #open(peer: NodeId, pulse: Pulse, connection: Connection): Promise<void> {
    pulse.opening = true;
    try {
      const stream = await connection.newStream(BEAT_PROTOCOL, {
        signal: AbortSignal.timeout(this.#streamTimeoutMs),
        maxOutboundStreams: STREAMS_MAX,
      });
      if (this.#pulses.get(peer) !== pulse) {
        stream.abort(new Error('peer is gone'));
        return;
      }
      pulse.out = stream;
      pulse.sequence = 0;
      if (pulse.waiting !== null) this.#send(pulse, stream, pulse.waiting);
    } catch {
      pulse.out = null;
    } finally {
      pulse.opening = false;
      pulse.waiting = null;
    }
  }

  #send(pulse: Pulse, stream: Stream, beacon: Beacon): boolean {
    if (stream.writableNeedsDrain || stream.writeBufferLength > 0) return false;
    const now = this.#modules.clock.monotonicMs();
    pulse.sequence += 1;
    const echo = pulse.heard === null ? null : { sentMs: pulse.heard.sentMs, holdMs: now - pulse.heard.atMs };
    try {
      const bytes = encodeBeat({ sequence: pulse.sequence, sentMs: now, echo, beacon });
      stream.send(frameOf(bytes));
      this.#modules.onBytes('out', bytes.length);
      return true;
    } catch {
      pulse.out = null;
      return false;
    }
  }

  #accept(stream: Stream, connection: Connection): void {
    const peer = connection.remotePeer.toString();
    if (!isNodeId(peer)) {
      stream.abort(new Error('not a member'));
      return;
    }
    const pulse = this.#pulseOf(peer);
    pulse.in?.abort(new Error('a newer beat stream took over'));
    pulse.in = stream;
    const cutter = new FrameCutter(BEAT_BYTES_MAX);
    const received = holdWindowUpdates(stream);
    let sequence = 0;
    stream.addEventListener('message', (event) => {
      received(event.data.byteLength);
      try {
        for (const body of cutter.push(event.data.subarray())) {
          this.#modules.onBytes('in', body.length);
          const beat = decodeBeat(body);
          if (beat.sequence <= sequence) throw new FrameError('beat out of order');
          sequence = beat.sequence;
          if (this.#pulses.get(peer) === pulse) this.#heard(peer, pulse, beat);
        }
      } catch (error) {
        this.#modules.onRefused(peer, reasonOf(error));
        stream.abort(error instanceof Error ? error : new Error('broken beat'));
      }
    });
    // the sender never ends its stream gracefully while it lives; end our half with it
    stream.addEventListener(
      'end',
      () => void stream.close().catch(() => stream.abort(new Error('beat stream ended'))),
    );
    stream.addEventListener('close', () => {
      if (pulse.in === stream) pulse.in = null;
    });
  }

  #heard(peer: NodeId, pulse: Pulse, beat: Beat): void {
    const now = this.#modules.clock.monotonicMs();
    pulse.heard = { sentMs: beat.sentMs, atMs: now };
    this.#modules.onHeard(peer, beat.echo === null ? null : roundTripMs(now, beat.echo), beat.beacon);
  }

  #pulseOf(peer: NodeId): Pulse {
    const known = this.#pulses.get(peer);
    if (known !== undefined) return known;
    const pulse: Pulse = { out: null, opening: false, sequence: 0, waiting: null, in: null, heard: null };
    this.#pulses.set(peer, pulse);
    return pulse;
  }
}

/** @returns ms, null when the echo cannot be of our own clock */
function roundTripMs(now: number, echo: { readonly sentMs: number; readonly holdMs: number }): number | null {
  const rttMs = now - echo.sentMs - echo.holdMs;
  return rttMs > -1 && rttMs < RTT_MS_MAX ? Math.max(0, rttMs) : null;
}

export function encodeBeat(beat: Beat): Uint8Array {
  const { vector } = beat.beacon;
  const tail = vector === null ? NO_BYTES : vector.writeShort(new ByteWriter(VECTOR_BYTES_MAX)).finish();
  const bytes = Buffer.alloc(BEAT_BYTES + tail.length);
  bytes.set(tail, BEAT_BYTES);
  bytes.writeUInt32BE(beat.sequence >>> 0, 0);
  bytes.writeDoubleBE(beat.sentMs, 4);
  bytes.writeDoubleBE(beat.echo?.sentMs ?? NaN, 12);
  bytes.writeDoubleBE(beat.echo?.holdMs ?? 0, 20);
  bytes.writeUIntBE(beat.beacon.records, 28, 6);
  bytes.write(beat.beacon.root, 34, 32, 'hex');
  bytes.writeUIntBE(beat.beacon.wallMs ?? 0, 66, 6);
  const { isWatching, isResting, isHealing = false } = beat.beacon;
  bytes.writeUInt8(Number(isWatching) + 2 * Number(isResting) + 4 * Number(isHealing), 72);
  return bytes;
}

/** Throws FrameError when the bytes are no beat. */
export function decodeBeat(body: Uint8Array): Beat {
  if (body.length < BEAT_BYTES) throw new FrameError(`beat of ${body.length} bytes`);
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const sentMs = bytes.readDoubleBE(4);
  const echoMs = bytes.readDoubleBE(12);
  const holdMs = bytes.readDoubleBE(20);
  if (!Number.isFinite(sentMs)) throw new FrameError('beat without a time');
  return {
    sequence: bytes.readUInt32BE(0),
    sentMs,
    echo: Number.isFinite(echoMs) && holdMs >= 0 ? { sentMs: echoMs, holdMs } : null,
    beacon: {
      root: bytes.toString('hex', 34, 66) as Digest,
      records: bytes.readUIntBE(28, 6),
      // 0, the epoch itself: not told
      wallMs: bytes.readUIntBE(66, 6) || null,
      ...flagsOf(bytes.readUInt8(72)),
      vector: body.length === BEAT_BYTES ? null : vectorOf(body.subarray(BEAT_BYTES)),
    },
  };
}

function flagsOf(flags: number): Pick<Beacon, 'isWatching' | 'isResting' | 'isHealing'> {
  if (flags > 7) throw new FrameError(`beat with the flags ${flags}`);
  return { isWatching: flags % 2 === 1, isResting: flags % 4 >= 2, isHealing: flags >= 4 };
}

function vectorOf(bytes: Uint8Array): VersionVector {
  try {
    const reader = new ByteReader(bytes);
    const vector = VersionVector.readShort(reader);
    reader.end();
    return vector;
  } catch (error) {
    if (error instanceof CodecError) throw new FrameError(`beat: ${error.reason}`);
    throw error;
  }
}
