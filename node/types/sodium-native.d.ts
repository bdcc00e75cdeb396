/** What we use of sodium-native, which comes without types. Every buffer is filled or read in place. */
declare module 'sodium-native' {
  const sodium: {
    /** Fills a 32-byte public and a 64-byte secret key from a 32-byte seed. */
    crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
    /** Fills 64 bytes of signature. */
    crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
    /** Refuses small-order keys and non-canonical signatures, unlike OpenSSL. */
    crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  };
  export default sodium;
}
