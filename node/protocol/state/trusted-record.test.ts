import { decodeRecord, type SignedRecord } from './record.ts';
import { testIdentity, testRecord } from './test-records.ts';
import { trustedRecord } from './trusted-record.ts';

const [ada, bob] = [testIdentity(1), testIdentity(2)];

describe('trusted record', () => {
  it('reads what the careful decoder reads', () => {
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
    for (const { bytes } of records) expect(fieldsOf(trustedRecord(bytes))).toEqual(decodeRecord(bytes));
  });
});

function fieldsOf({ key, value, dot, context, stamp, id, bytes }: SignedRecord): SignedRecord {
  return { key, value, dot, context, stamp, id, bytes: new Uint8Array(bytes) };
}
