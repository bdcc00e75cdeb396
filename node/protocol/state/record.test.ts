import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { CodecError } from '../codec.ts';
import {
  decodeRecord,
  RECORD_LIMITS,
  signRecord,
  verifyRecord,
  type Dot,
  type LatticeRecord,
} from './record.ts';
import { testIdentity, testRecord } from './test-records.ts';

const [ada, bob, eve] = [testIdentity(1), testIdentity(2), testIdentity(3)];
const sign = (bytes: Uint8Array): Uint8Array => ada.sign(bytes);
const VECTORS = new URL('../../../test/vectors/record-v1.json', import.meta.url);

describe('record', () => {
  it('is read back as it was signed, and verifies', () => {
    fc.assert(
      fc.property(legalFields(), (fields) => {
        const signed = signRecord(fields, sign);
        const read = decodeRecord(signed.bytes);
        expect(read).toEqual(signed);
        expect(verifyRecord(read)).toBe(read);
        const { key, value, dot, context, stamp } = read;
        expect(signRecord({ key, value, dot, context, stamp }, sign).bytes).toEqual(signed.bytes);
      }),
    );
  });

  it('keeps to the published vectors', () => {
    const vectors = goldenVectors();
    // A new version of the format: UPDATE_VECTORS=1, and the old file stays.
    if (process.env['UPDATE_VECTORS'] === '1')
      writeFileSync(VECTORS, `${JSON.stringify(vectors, null, 2)}\n`);
    expect(vectors).toEqual(JSON.parse(readFileSync(VECTORS, 'utf8')));
    for (const { bytes, id } of vectors) {
      const record = decodeRecord(Buffer.from(bytes, 'hex'));
      expect(record.id).toBe(id);
      expect(verifyRecord(record)).not.toBeNull();
    }
  });

  it('does not verify when any one bit is flipped', () => {
    const { bytes } = contextRecord();
    let refused = 0;
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const record = decodeOrRefuse(flipped);
      if (record === null) refused += 1;
      else expect(verifyRecord(record)).toBeNull();
    }
    expect(refused).toBeGreaterThan(0);
  });

  it('is refused with a CodecError or reads canonically, whatever the bytes', () => {
    const { bytes } = contextRecord();
    const mangled = fc
      .tuple(fc.nat(bytes.length), fc.nat(40), fc.uint8Array({ maxLength: 40 }))
      .map(([at, drop, insert]) => Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + drop)]));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), mangled), (input) => {
        const record = decodeOrRefuse(input);
        if (record === null) return;
        const { key, value, dot, context, stamp } = record;
        const again = signRecord({ key, value, dot, context, stamp }, () => record.bytes.slice(-64));
        expect(Buffer.compare(again.bytes, input)).toBe(0);
        expect(again.id).toBe(record.id);
      }),
      { numRuns: 1000 },
    );
  });

  it('has an id that does not depend on the signature', () => {
    const fields = decodeRecord(contextRecord().bytes);
    const other = signRecord(fields, () => new Uint8Array(64));
    expect(other.id).toBe(fields.id);
    expect(verifyRecord(other)).toBeNull();
  });

  it('keeps no hold on the bytes it was read from', () => {
    const bytes = contextRecord().bytes.slice();
    const record = decodeRecord(bytes);
    bytes.fill(0);
    expect(verifyRecord(record)).not.toBeNull();
  });

  const sorted = [ada, bob, eve].map(({ id }) => id).sort();
  const dots = sorted.map((author): Dot => ({ author, sequence: 1 }));
  it.each<readonly [string, Partial<LatticeRecord>]>([
    ['an empty key', { key: '' }],
    ['a key above the limit', { key: 'é'.repeat(257) }],
    ['a key that is no Unicode text', { key: '\udfff' }],
    ['a value that is no JSON', { value: '{a:1}' }],
    ['an empty value', { value: '' }],
    ['a value above the limit', { value: `"${'x'.repeat(65_536)}"` }],
    ['sequence 0', { dot: { author: ada.id, sequence: 0 } }],
    ['an unsorted context', { context: dots.toReversed(), dot: { author: ada.id, sequence: 9 } }],
    [
      'an author twice in the context',
      { context: [dots[1] ?? dots[0], dots[1]].filter((dot) => dot !== undefined) },
    ],
    [
      'a context with its own dot',
      { context: [{ author: ada.id, sequence: 5 }], dot: { author: ada.id, sequence: 5 } },
    ],
    ['a stamp beyond 48 bits', { stamp: { wallMs: 2 ** 48, counter: 0 } }],
    ['a counter beyond 16 bits', { stamp: { wallMs: 0, counter: 65_536 } }],
  ])('refuses to sign %s', (_, wrong) => {
    const right = {
      key: 'k',
      value: '1',
      dot: { author: ada.id, sequence: 7 },
      context: [],
      stamp: { wallMs: 1, counter: 0 },
    };
    expect(() => signRecord({ ...right, ...wrong }, sign)).toThrow(CodecError);
  });

  it('refuses to read what is beyond narrower limits', () => {
    const { bytes } = contextRecord();
    for (const narrower of [{ keyBytesMax: 1 }, { valueBytesMax: 1 }, { contextMax: 1 }]) {
      expect(() => decodeRecord(bytes, { ...RECORD_LIMITS, ...narrower })).toThrow(CodecError);
    }
  });

  it('refuses a tombstone that carries a value', () => {
    const bytes = testRecord({ author: ada, value: '1' }).bytes.slice();
    bytes[1] = 1;
    expect(() => decodeRecord(bytes)).toThrow('tombstone with a value');
  });
});

function decodeOrRefuse(bytes: Uint8Array): ReturnType<typeof decodeRecord> | null {
  try {
    return decodeRecord(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return null;
  }
}

/** A record that replaces writes of two others. */
function contextRecord(): ReturnType<typeof signRecord> {
  const context = [bob.id, eve.id].sort().map((author, i) => ({ author, sequence: 2 ** 40 + i }));
  return testRecord({ author: ada, key: 'naïve/\0key', value: '{"a":[1,"é"]}', sequence: 300, context });
}

function goldenVectors(): readonly {
  name: string;
  seed: string;
  id: string;
  signature: string;
  bytes: string;
}[] {
  const records = {
    'a value': testRecord({ author: ada, key: 'greeting', value: '"hello"' }),
    'a tombstone': testRecord({
      author: bob,
      key: 'greeting',
      value: null,
      sequence: 2,
      context: [{ author: ada.id, sequence: 1 }],
      stamp: { wallMs: 1_700_000_000_000, counter: 65_535 },
    }),
    'a context of two': contextRecord(),
  };
  const seeds = new Map([ada, bob, eve].map(({ id, seed }) => [id, seed]));
  return Object.entries(records).map(([name, { dot, id, bytes }]) => ({
    name,
    seed: hex(seeds.get(dot.author) ?? new Uint8Array(0)),
    id,
    signature: hex(bytes.slice(-64)),
    bytes: hex(bytes),
  }));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function legalFields(): fc.Arbitrary<LatticeRecord> {
  const sequence = fc.integer({ min: 2, max: Number.MAX_SAFE_INTEGER });
  return fc.record({
    key: fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
    value: fc.option(fc.json()),
    dot: sequence.map((n): Dot => ({ author: ada.id, sequence: n })),
    context: fc
      .uniqueArray(fc.record({ author: fc.constantFrom(ada.id, bob.id, eve.id), sequence }), {
        selector: (dot) => dot.author,
      })
      .map((context) => context.map((dot) => (dot.author === ada.id ? { ...dot, sequence: 1 } : dot)))
      .map((context) => context.toSorted((a, b) => (a.author < b.author ? -1 : 1))),
    stamp: fc.record({
      wallMs: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
      counter: fc.integer({ min: 0, max: 65_535 }),
    }),
  });
}
