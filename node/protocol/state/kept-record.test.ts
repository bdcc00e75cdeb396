import { canonicalOf, DIGESTS_AT, keptForm, readKept } from './kept-record.ts';
import { pathOf } from './merkle.ts';
import { decodeRecord, type SignedRecord } from './record.ts';
import { testIdentity, testRecord } from './test-records.ts';

const [ada, bob] = [testIdentity(1), testIdentity(2)];

describe('kept record', () => {
  it('is read as the careful decoder reads its bytes, with or without the digests in front', () => {
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
      const [older, kept] = [record.bytes, keptForm(record)];
      for (const form of [older, kept]) {
        expect(fieldsOf(readKept(form).record)).toEqual(decodeRecord(record.bytes));
        expect(new Uint8Array(canonicalOf(form))).toEqual(record.bytes);
      }
      expect(readKept(older).digests).toBeNull();
      expect(readKept(kept).digests?.toString('hex', DIGESTS_AT, DIGESTS_AT + 64)).toBe(
        pathOf(record.key) + record.id,
      );
    }
  });
});

function fieldsOf({ key, value, dot, context, stamp, id, bytes }: SignedRecord): SignedRecord {
  return { key, value, dot, context, stamp, id, bytes: new Uint8Array(bytes) };
}
