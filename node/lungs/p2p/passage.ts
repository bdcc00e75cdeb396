/**
 * Whether a fresh connection carries data: a message longer than any usual packet goes there, and one comes back. Small
 * messages prove too little. Where the path drops packets above some size (an MTU hole), handshakes, subscriptions and heartbeats
 * pass, and the first large message blocks everything behind it; a link that counted by heartbeats would come and go for ever.
 *
 *   frame: PROBE_BYTES ──▶      ◀── frame: PROBE_BYTES
 *
 * Once is enough for a connection: what is lost on it later stalls its heartbeats too, so it is given up, and the next one is asked anew.
 */
import { reasonOf } from './errors.ts';
import { frameOf, readFrame } from './framing.ts';
import type { Connection, Stack, Stream } from './types.ts';

const PASSAGE_PROTOCOL = '/aethel/passage/1.0.0';
/** More than a jumbo frame holds (9,000), less than TCP sends before the first acknowledgement (ten segments of 1,460). */
const PROBE_BYTES = 10_240;
const STREAMS_MAX = 4;
/** A member that only answers reads, answers and is done; the asker gives up by itself. */
const ANSWER_MS = 10_000;

export class Passage {
  readonly #stack: Stack;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  async start(): Promise<void> {
    await this.#stack.handle(PASSAGE_PROTOCOL, (stream) => void answer(stream), {
      maxInboundStreams: STREAMS_MAX,
      maxOutboundStreams: STREAMS_MAX,
    });
  }

  /**
   * Resolves when large messages pass both ways, or when the member does not speak this protocol, as the version before does not: then
   * nothing is known. Rejects when the connection ends before.
   */
  async proveOn(connection: Connection): Promise<void> {
    let stream: Stream | null = null;
    const signal = new AbortController().signal;
    try {
      stream = await connection.newStream(PASSAGE_PROTOCOL, { signal, maxOutboundStreams: STREAMS_MAX });
      const reply = readFrame(stream, PROBE_BYTES, signal);
      // sending may throw first, and nobody would wait for the reply
      reply.catch(() => undefined);
      stream.send(frameOf(new Uint8Array(PROBE_BYTES)));
      await reply;
    } catch (error) {
      if (!isUnknownProtocol(error)) throw error;
    } finally {
      stream?.abort(new Error('passage known'));
    }
  }
}

async function answer(stream: Stream): Promise<void> {
  const signal = AbortSignal.timeout(ANSWER_MS);
  try {
    const probe = await readFrame(stream, PROBE_BYTES, signal);
    stream.send(frameOf(new Uint8Array(probe.length)));
    await stream.close({ signal });
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(reasonOf(error)));
  }
}

/** Told by name: the class may come from another copy of the package. */
function isUnknownProtocol(error: unknown): boolean {
  return error instanceof Error && error.name === 'UnsupportedProtocolError';
}
