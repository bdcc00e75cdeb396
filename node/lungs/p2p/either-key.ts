/**
 * The private network while its key is being changed: we dial with our own key, and who dials us may use that or the other.
 *
 * Both sides of libp2p's pnet send a nonce of 24 bytes, and cipher what follows with XSalsa20 under the shared key and their own
 * nonce. Nothing names the key. But the side that dialled speaks first, and its first 20 bytes are always the same: the
 * greeting of multistream-select. So whoever was dialled tries both keys on them, and goes on with the one that fits. A stranger
 * fits none, and fails in the handshake as ever, under our own key. Noise inside proves who it is, as with one key.
 *
 * With one key the library's own protector is used, on both sides.
 *
 * @see https://github.com/libp2p/specs/blob/master/pnet/Private-Networks-PSK-V1.md
 */
import { randomBytes } from 'node:crypto';
import { AbstractMultiaddrConnection, byteStream } from '@libp2p/utils';
import sodium from 'sodium-native';
import type { ConnectionProtector, RawConnection } from './types.ts';

const NONCE_BYTES = 24;
const GREETING = Buffer.from('\x13/multistream/1.0.0\n');

/**
 * @param own the library's, with our own key
 * @param keys 32 bytes each, our own first
 */
export function eitherKey(own: ConnectionProtector, keys: readonly Uint8Array[]): ConnectionProtector {
  return {
    protect: async (connection: RawConnection, options) => {
      if (connection.direction === 'outbound') return own.protect(connection, options);
      const bytes = byteStream(connection);
      const localNonce = randomBytes(NONCE_BYTES);
      const [remoteNonce] = await Promise.all([
        bytes.read({ bytes: NONCE_BYTES, ...options }),
        bytes.write(localNonce, options),
      ]);
      return new EitherKeyConnection(bytes.unwrap(), {
        localNonce,
        remoteNonce: remoteNonce.subarray(),
        keys,
      });
    },
  };
}

interface Secrets {
  readonly localNonce: Uint8Array;
  readonly remoteNonce: Uint8Array;
  readonly keys: readonly Uint8Array[];
}

interface Ciphers {
  readonly inbound: Cipher;
  readonly outbound: Cipher;
}

/** As the library's, but that the key is found out from what comes first. */
class EitherKeyConnection extends AbstractMultiaddrConnection {
  readonly #connection: RawConnection;
  readonly #secrets: Secrets;
  #ciphers: Ciphers | null = null;
  /** what came before it was enough to tell the key */
  #early: Uint8Array = new Uint8Array(0);

  constructor(connection: RawConnection, secrets: Secrets) {
    super({
      log: connection.log.newScope('either-key'),
      remoteAddr: connection.remoteAddr,
      direction: connection.direction,
    });
    this.#connection = connection;
    this.#secrets = secrets;
    connection.addEventListener('message', ({ data }) => this.#take(data.subarray()));
    connection.addEventListener('drain', () => this.onMuxerDrain());
    connection.addEventListener('close', ({ error, local }) => {
      if (error === undefined) this.onTransportClosed();
      else if (local === true) this.abort(error);
      else this.onRemoteReset();
    });
  }

  #take(data: Uint8Array): void {
    if (this.#ciphers !== null) return this.onData(this.#ciphers.inbound.apply(data));
    this.#early = Buffer.concat([this.#early, data]);
    if (this.#early.length < GREETING.length) return;
    const { keys, remoteNonce } = this.#secrets;
    const first = this.#early.subarray(0, GREETING.length);
    const fitting = keys.find((key) => GREETING.equals(new Cipher(remoteNonce, key).apply(first)));
    const { inbound } = this.#settle(fitting);
    this.onData(inbound.apply(this.#early));
  }

  /** @param key our own where none is given */
  #settle(key: Uint8Array | undefined): Ciphers {
    const { keys, localNonce, remoteNonce } = this.#secrets;
    const settled = key ?? keys[0] ?? new Uint8Array(0);
    this.#ciphers = { inbound: new Cipher(remoteNonce, settled), outbound: new Cipher(localNonce, settled) };
    return this.#ciphers;
  }

  sendData(data: { readonly byteLength: number; subarray(): Uint8Array }) {
    const { outbound } = this.#ciphers ?? this.#settle(undefined);
    return {
      sentBytes: data.byteLength,
      canSendMore: this.#connection.send(outbound.apply(data.subarray())),
    };
  }

  async sendClose(options?: Parameters<RawConnection['close']>[0]): Promise<void> {
    await this.#connection.close(options);
  }

  sendReset(error: Error): void {
    this.#connection.abort(error);
  }

  sendPause(): void {
    this.#connection.pause();
  }

  sendResume(): void {
    this.#connection.resume();
  }
}

/** XSalsa20 as a stream: what is ciphered twice is plain again. */
class Cipher {
  readonly #state = Buffer.alloc(sodium.crypto_stream_xor_STATEBYTES);

  constructor(nonce: Uint8Array, key: Uint8Array) {
    sodium.crypto_stream_xor_init(this.#state, nonce, key);
  }

  apply(data: Uint8Array): Uint8Array {
    const result = new Uint8Array(data.length);
    if (data.length > 0) sodium.crypto_stream_xor_update(this.#state, result, data);
    return result;
  }
}
