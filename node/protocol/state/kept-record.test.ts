import { canonicalOf, DIGEST_BYTES, keptForm, KeptRecord } from './kept-record.ts';
import { pathOf } from './merkle.ts';
import { decodeRecord } from './record.ts';
import { testIdentity, testRecord } from './test-records.ts';

const [ada, bob] = [testIdentity(1), testIdentity(2)];

describe('kept record', () => {
  it('is read as the record that it was, with or without the digests in front', () => {
    const context = [ada, bob]
      .map(({ id }, at) => ({ author: id, sequence: 2 ** (40 * at + 1) }))
      .sort((a, b) => (a.author < b.author ? -1 : 1));
    const records = [
      testRecord({ author: ada }),
      testRecord({ author: bob, key: '𝒳é\0', value: '"𝒳é\\u0000"', sequence: 2 ** 33 + 1 }),
      testRecord({ author: bob, value: null, sequence: Number.MAX_SAFE_INTEGER, context }),
      testRecord({
        author: ada,
        sequence: 4,
        stamp: { wallMs: 2 ** 48 - 1, counter: 65_535 },
        context: [{ author: bob.id, sequence: 1 }],
      }),
    ];
    for (const record of records) {
      for (const form of [record.bytes, keptForm(record)]) {
        const kept = new KeptRecord(form);
        const { dot, stamp, id, isTombstone } = kept;
        expect({ dot, stamp, id, isTombstone }).toEqual({
          dot: record.dot,
          stamp: record.stamp,
          id: record.id,
          isTombstone: record.value === null,
        });
        expect(new Uint8Array(kept.bytes.subarray(kept.from))).toEqual(record.bytes);
        expect(kept.digests.toString('hex', kept.digestsAt, kept.digestsAt + 2 * DIGEST_BYTES)).toBe(
          pathOf(record.key) + record.id,
        );
        expect(decodeRecord(canonicalOf(form))).toEqual(decodeRecord(record.bytes));
      }
    }
  });
});
