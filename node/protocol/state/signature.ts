/**
 * Ed25519 as libsodium decides it. One library for signing and verifying, everywhere: OpenSSL accepts signatures of
 * small-order keys that libsodium refuses, and two verdicts on one record would be two states.
 */
import sodium from 'sodium-native';
import { nodeIdOf, PUBLIC_KEY_BYTES, type NodeId } from '../ids.ts';

export const SEED_BYTES = 32;
export const SIGNATURE_BYTES = 64;
const SECRET_KEY_BYTES = 64;

/** A node that can sign. Whoever holds the seed is the node. */
export interface SigningIdentity {
  readonly id: NodeId;
  /** 32 bytes */
  readonly publicKey: Uint8Array;
  /** 32 bytes; never logged */
  readonly seed: Uint8Array;
  /** 64 bytes over the given bytes; the same bytes give the same signature */
  sign(bytes: Uint8Array): Uint8Array;
}

/** @param seed 32 random bytes, the private key of RFC 8032 */
export function identityFromSeed(seed: Uint8Array): SigningIdentity {
  if (seed.length !== SEED_BYTES) throw new RangeError(`seed of ${seed.length} bytes`);
  const publicKey = new Uint8Array(PUBLIC_KEY_BYTES);
  const secretKey = new Uint8Array(SECRET_KEY_BYTES);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed);
  return {
    id: nodeIdOf(publicKey),
    publicKey,
    seed,
    sign(bytes) {
      const signature = new Uint8Array(SIGNATURE_BYTES);
      sodium.crypto_sign_detached(signature, bytes, secretKey);
      return signature;
    },
  };
}

/** @param publicKey 32 bytes, see `publicKeyOf` */
export function verifySignature(signature: Uint8Array, bytes: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) return false;
  return sodium.crypto_sign_verify_detached(signature, bytes, publicKey);
}
