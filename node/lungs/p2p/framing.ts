/**
 * Frames on a stream: a length of four bytes, big endian, then that many bytes. The one framing of beats and
 * exchanges. A length above the limit is refused before a byte of it is kept.
 */
import type { Stream } from './types.ts';

const LENGTH_BYTES = 4;

/** The bytes break the protocol, as opposed to a stream that ended early. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

export function frameOf(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LENGTH_BYTES + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, LENGTH_BYTES);
  return frame;
}

/** Cuts a flow of chunks into frame bodies. */
export class FrameCutter {
  readonly #bytesMax: number;
  #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** @returns the bodies that this chunk completed, in order; throws FrameError when a frame is above the limit */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const bodies: Uint8Array[] = [];
    for (;;) {
      if (this.#length < LENGTH_BYTES) return bodies;
      const need = this.#peekLength();
      if (need > this.#bytesMax) throw new FrameError(`frame of ${need} bytes, at most ${this.#bytesMax}`);
      if (this.#length < LENGTH_BYTES + need) return bodies;
      const all = this.#flat();
      bodies.push(all.slice(LENGTH_BYTES, LENGTH_BYTES + need));
      const rest = all.subarray(LENGTH_BYTES + need);
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#length = rest.length;
    }
  }

  #peekLength(): number {
    const [first] = this.#chunks;
    const head = first !== undefined && first.length >= LENGTH_BYTES ? first : this.#flat();
    return new DataView(head.buffer, head.byteOffset).getUint32(0);
  }

  #flat(): Uint8Array {
    const [first] = this.#chunks;
    if (first !== undefined && this.#chunks.length === 1) return first;
    const flat = Buffer.concat(this.#chunks, this.#length);
    this.#chunks = [flat];
    return flat;
  }
}

/**
 * Reads one frame. Rejects with FrameError when it is too large, with another error when the stream ends before it,
 * and with the signal's reason when that fires. The stream is left as it is: whoever opened it ends it.
 *
 * @param onProgress called for each part that comes
 */
export function readFrame(
  stream: Stream,
  bytesMax: number,
  signal: AbortSignal,
  onProgress: () => void = ignored,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const cutter = new FrameCutter(bytesMax);
    const settle = (end: () => void): void => {
      stream.removeEventListener('message', onMessage);
      stream.removeEventListener('end', onEnd);
      stream.removeEventListener('close', onClose);
      signal.removeEventListener('abort', onAbort);
      end();
    };
    const onMessage = (event: { readonly data: { subarray(): Uint8Array } }): void => {
      onProgress();
      try {
        const [body] = cutter.push(event.data.subarray());
        if (body !== undefined) settle(() => resolve(body));
      } catch (error) {
        settle(() => reject(error));
      }
    };
    const onEnd = (): void => settle(() => reject(new Error('stream ended before the frame')));
    const onClose = (event: { readonly error?: Error }): void =>
      settle(() => reject(event.error ?? new Error('stream closed before the frame')));
    const onAbort = (): void => settle(() => reject(signal.reason));
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    if (stream.readableEnded) {
      reject(new Error('stream ended before the frame'));
      return;
    }
    signal.addEventListener('abort', onAbort);
    stream.addEventListener('end', onEnd);
    stream.addEventListener('close', onClose);
    stream.addEventListener('message', onMessage);
  });
}

function ignored(): void {
  // nobody wants to know
}
