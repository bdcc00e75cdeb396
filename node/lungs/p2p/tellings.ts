/**
 * Of whom a linked member knows: each member that proved itself to the teller, and where the teller finds it. The asker takes it as
 * a hint: whoever answers there must prove itself anew.
 *
 *   frame: nothing ──▶      ◀── frame: n × (32 key; n × (u16 length, address)), counts as varints
 */
import type { ToldMember } from '../../ports.ts';
import { TOLD_ADDRESSES_MAX, TOLD_MEMBERS_MAX } from '../../ports.ts';
import { ByteReader, ByteWriter, CodecError } from '../../protocol/codec.ts';
import { nodeIdOf, PUBLIC_KEY_BYTES, publicKeyOf } from '../../protocol/ids.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { FrameError, frameOf, readFrame } from './framing.ts';
import type { Connection, Stack, Stream } from './types.ts';

const TELL_PROTOCOL = '/aethel/members/1.0.0';
const ADDRESS_BYTES_MAX = 512;
/** Of sixty-four members with four addresses of a usual length; who knows more says less. */
const TELLING_BYTES_MAX = 65_536;
const STREAMS_MAX = 4;

export interface TellingsModules {
  readonly stack: Stack;
  readonly connectionTo: (peer: NodeId) => Connection | null;
  /** whom this node knows */
  readonly tell: () => readonly ToldMember[];
}

export class Tellings {
  readonly #modules: TellingsModules;
  readonly #streamTimeoutMs: number;

  constructor(modules: TellingsModules, options: { readonly streamTimeoutMs: number }) {
    this.#modules = modules;
    this.#streamTimeoutMs = options.streamTimeoutMs;
  }

  async start(): Promise<void> {
    await this.#modules.stack.handle(TELL_PROTOCOL, (stream) => void this.#answer(stream), {
      maxInboundStreams: STREAMS_MAX,
      maxOutboundStreams: STREAMS_MAX,
    });
  }

  /** @returns null when the member did not answer, or not rightly */
  async ask(peer: NodeId): Promise<readonly ToldMember[] | null> {
    const connection = this.#modules.connectionTo(peer);
    if (connection === null) return null;
    const signal = AbortSignal.timeout(this.#streamTimeoutMs);
    let stream: Stream | null = null;
    try {
      stream = await connection.newStream(TELL_PROTOCOL, { signal, maxOutboundStreams: STREAMS_MAX });
      const telling = readFrame(stream, TELLING_BYTES_MAX, signal);
      // sending may throw first, and nobody would wait for the telling
      telling.catch(() => undefined);
      stream.send(frameOf(new Uint8Array(0)));
      return decodeTelling(await telling);
    } catch {
      return null;
    } finally {
      stream?.abort(new Error('told'));
    }
  }

  async #answer(stream: Stream): Promise<void> {
    const signal = AbortSignal.timeout(this.#streamTimeoutMs);
    try {
      await readFrame(stream, 0, signal);
      stream.send(frameOf(encodeTelling(this.#modules.tell())));
      await stream.close({ signal });
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error('not told'));
    }
  }
}

export function encodeTelling(members: readonly ToldMember[]): Uint8Array {
  const told = members.slice(0, TOLD_MEMBERS_MAX);
  const writer = new ByteWriter(TELLING_BYTES_MAX).varint(told.length);
  for (const { peer, addresses } of told) {
    const short = addresses
      .filter((address) => Buffer.byteLength(address) <= ADDRESS_BYTES_MAX)
      .slice(0, TOLD_ADDRESSES_MAX);
    writer.bytes(publicKeyOf(peer)).varint(short.length);
    for (const address of short) writer.text16(address);
  }
  return writer.finish();
}

/** Throws FrameError when the bytes are no telling. */
export function decodeTelling(bytes: Uint8Array): readonly ToldMember[] {
  try {
    const reader = new ByteReader(bytes);
    const members = Array.from({ length: atMost(reader.varint(), TOLD_MEMBERS_MAX) }, () => {
      const peer = nodeIdOf(reader.bytes(PUBLIC_KEY_BYTES));
      const addresses = Array.from({ length: atMost(reader.varint(), TOLD_ADDRESSES_MAX) }, () =>
        reader.text16(ADDRESS_BYTES_MAX),
      );
      return { peer, addresses };
    });
    reader.end();
    return members;
  } catch (error) {
    if (error instanceof CodecError) throw new FrameError(`telling: ${error.reason}`);
    throw error;
  }
}

function atMost(count: number, max: number): number {
  if (count > max) throw new CodecError(`${count} of at most ${max}`);
  return count;
}
