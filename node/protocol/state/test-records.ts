/** Records for tests: nodes with fixed keys, and writes by them. */
import type { Stamp } from './clock.ts';
import { signRecord, type Dot, type VerifiedRecord } from './record.ts';
import { identityFromSeed, SEED_BYTES, type SigningIdentity } from './signature.ts';

/** The nth node: its seed is that number, 32 times. */
export function testIdentity(n: number): SigningIdentity {
  return identityFromSeed(new Uint8Array(SEED_BYTES).fill(n));
}

/** Of every test's cluster. */
export const TEST_SALT = Buffer.from('the salt of tests');

export interface TestWrite {
  readonly author: SigningIdentity;
  readonly key?: string;
  readonly value?: string | null;
  readonly sequence?: number;
  readonly context?: readonly Dot[];
  readonly stamp?: Stamp;
}

export function testRecord({
  author,
  key = 'key',
  value = '1',
  sequence = 1,
  context = [],
  stamp = { wallMs: 1000, counter: 0 },
}: TestWrite): VerifiedRecord {
  const dot: Dot = { author: author.id, sequence };
  return signRecord({ key, value, dot, context, stamp }, (bytes) => author.sign(bytes));
}
