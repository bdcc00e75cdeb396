import { nodeIdOf } from '../ids.ts';
import { identityFromSeed, verifySignature } from './signature.ts';
import { testIdentity } from './test-records.ts';

describe('signature', () => {
  it('agrees with the first test vector of RFC 8032 section 7.1', () => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const identity = identityFromSeed(seed);
    expect(Buffer.from(identity.publicKey).toString('hex')).toBe(
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    );
    expect(Buffer.from(identity.sign(new Uint8Array(0))).toString('hex')).toBe(
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    );
    expect(identity.id).toBe(nodeIdOf(identity.publicKey));
  });

  it('accepts what the key signed and nothing else', () => {
    const [ada, bob] = [testIdentity(1), testIdentity(2)];
    const bytes = Buffer.from('hello');
    const signature = ada.sign(bytes);
    expect(verifySignature(signature, bytes, ada.publicKey)).toBe(true);
    expect(verifySignature(signature, bytes, bob.publicKey)).toBe(false);
    expect(verifySignature(signature, Buffer.from('hullo'), ada.publicKey)).toBe(false);
    expect(verifySignature(signature.subarray(1), bytes, ada.publicKey)).toBe(false);
  });

  it('refuses the small-order key whose signature holds for every message', () => {
    const neutral = new Uint8Array(32).fill(1, 0, 1);
    const signature = new Uint8Array(64).fill(1, 0, 1);
    expect(verifySignature(signature, Buffer.from('anything'), neutral)).toBe(false);
  });

  it('refuses a seed of the wrong length', () => {
    expect(() => identityFromSeed(new Uint8Array(31))).toThrow(RangeError);
  });
});
