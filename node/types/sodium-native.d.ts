/** What we use of sodium-native, which comes without types. Every buffer is filled or read in place. */
declare module 'sodium-native' {
  const sodium: {
    /** Fills a 32-byte public and a 64-byte secret key from a 32-byte seed. */
    crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
    /** Fills 64 bytes of signature. */
    crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
    /** Refuses small-order keys and non-canonical signatures, unlike OpenSSL. */
    crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
    /** XSalsa20 piece by piece: `state` has STATEBYTES, the nonce 24, the key 32; input and output are as long as each other. */
    readonly crypto_stream_xor_STATEBYTES: number;
    crypto_stream_xor_init(state: Uint8Array, nonce: Uint8Array, key: Uint8Array): void;
    crypto_stream_xor_update(state: Uint8Array, output: Uint8Array, input: Uint8Array): void;
  };
  export default sodium;
}
