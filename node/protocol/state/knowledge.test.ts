/** What is stored beside the records: read as written, by this version and as the one before wrote it. */
import { ByteWriter, CodecError } from '../codec.ts';
import { publicKeyOf } from '../ids.ts';
import { decodeKnowledge, encodeKnowledge, membersOnly } from './knowledge.ts';
import { testIdentity } from './test-records.ts';
import { VersionVector } from './version-vector.ts';

const [ada, ben] = [testIdentity(1).id, testIdentity(2).id];
const members = [
  { id: ben, silentMs: 604_800_000, heardAtMs: 1_767_225_600_000 },
  { id: ada, silentMs: 0, heardAtMs: 0 },
];

describe('knowledge', () => {
  it('is read as it was written, members in their order', () => {
    const read = decodeKnowledge(encodeKnowledge({ vector: vector(), members }));
    expect(read.members).toEqual(members);
    expect(read.vector.has({ author: ada, sequence: 7 })).toBe(true);
  });

  it('of the version before has members of whom nothing but their names is known', () => {
    const writer = vector().write(new ByteWriter(1_000).u8(1)).u16(1).bytes(publicKeyOf(ben));
    const read = decodeKnowledge(writer.finish());
    expect(read.members).toEqual([{ id: ben, silentMs: 0, heardAtMs: 0 }]);
    expect(read.vector.has({ author: ada, sequence: 7 })).toBe(true);
  });

  it('keeps its members without what was seen', () => {
    const read = decodeKnowledge(membersOnly(encodeKnowledge({ vector: vector(), members })));
    expect(read.members).toEqual(members);
    expect(read.vector.count).toBe(0);
  });

  it.each([0, 3])('of version %i is refused', (version) => {
    const writer = vector().write(new ByteWriter(1_000).u8(version)).u16(0);
    expect(() => decodeKnowledge(writer.finish())).toThrow(CodecError);
  });
});

function vector(): VersionVector {
  const seen = new VersionVector();
  seen.add({ author: ada, sequence: 7 });
  return seen;
}
