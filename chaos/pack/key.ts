/**
 * The key that signs evidence packs: Ed25519, made at the first use, readable by its owner alone. Its fingerprint is what a
 * verifier is told on another way than the pack.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export const KEY_FILE = path.join('.aethel', 'evidence-key.pem');

/** The key cannot be used; the message says why, and what to do. */
export class KeyUnusableError extends Error {
  readonly code = 'key_unusable';
}

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly fingerprint: string;
  /** it was not there before */
  readonly isNew: boolean;
}

/** Throws KeyUnusableError. */
export function loadKey(file: string): SigningKey {
  const isNew = !existsSync(file);
  if (isNew) make(file);
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0)
    throw new KeyUnusableError(`${file} can be read by others: chmod 600 ${file}`);
  const privateKey = read(file);
  const publicKey = createPublicKey(privateKey);
  return { privateKey, publicKey, fingerprint: fingerprintOf(publicKey), isNew };
}

/** SHA-256 of the key as SubjectPublicKeyInfo (`openssl pkey -pubin -in signer.pem -outform DER | sha256sum`), hexadecimal. */
export function fingerprintOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

function make(file: string): void {
  const { privateKey } = generateKeyPairSync('ed25519');
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
}

function read(file: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(file));
  } catch (error) {
    throw new KeyUnusableError(`${file} holds no private key`, { cause: error });
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new KeyUnusableError(`${file} holds a key of type ${key.asymmetricKeyType}, not ed25519`);
  return key;
}
