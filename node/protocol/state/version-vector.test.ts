import fc from 'fast-check';
import { ByteReader, ByteWriter, CodecError } from '../codec.ts';
import type { Dot } from './record.ts';
import { testIdentity } from './test-records.ts';
import { VersionVector } from './version-vector.ts';

const AUTHORS = [1, 2, 3].map((n) => testIdentity(n).id);
const dot: fc.Arbitrary<Dot> = fc.record({
  author: fc.constantFrom(...AUTHORS),
  sequence: fc.integer({ min: 1, max: 30 }),
});
const dots = fc.array(dot, { maxLength: 60 });

describe('a version vector', () => {
  it('has exactly the dots that were added, in whatever order they came', () => {
    fc.assert(
      fc.property(dots, dot, (added, probe) => {
        const vector = vectorOf(added);
        expect(vector.has(probe)).toBe(added.some((one) => isSame(one, probe)));
        expect(vector.equals(vectorOf(added.toReversed()))).toBe(true);
      }),
    );
  });

  it('joins as sets do: commutative, associative, idempotent', () => {
    fc.assert(
      fc.property(dots, dots, dots, (a, b, c) => {
        const together = vectorOf([...a, ...b, ...c]);
        expect(joined(joined(vectorOf(a), vectorOf(b)), vectorOf(c)).equals(together)).toBe(true);
        expect(joined(vectorOf(c), joined(vectorOf(b), vectorOf(a))).equals(together)).toBe(true);
        expect(joined(together.clone(), vectorOf(b)).equals(together)).toBe(true);
      }),
    );
  });

  it('is no part of its copies: what either sees later the other has not seen', () => {
    fc.assert(
      fc.property(dots, dots, dots, dots, (a, b, c, d) => {
        const first = vectorOf(a);
        const second = first.clone();
        for (const one of b) second.add(one);
        const third = second.clone();
        for (const one of c) first.add(one);
        third.join(vectorOf(d));
        expect(first.equals(vectorOf([...a, ...c]))).toBe(true);
        expect(second.equals(vectorOf([...a, ...b]))).toBe(true);
        expect(third.equals(vectorOf([...a, ...b, ...d]))).toBe(true);
        expect(third.authors()).toEqual(vectorOf([...a, ...b, ...d]).authors());
      }),
    );
  });

  it('tells what is in it and not in another one', () => {
    fc.assert(
      fc.property(dots, dots, dot, (a, b, probe) => {
        const [left, right] = [vectorOf(a), vectorOf(b)];
        const rest = left.without(right);
        expect(rest.has(probe)).toBe(left.has(probe) && !right.has(probe));
        expect(left.isWithin(right)).toBe(rest.size === 0);
        expect(left.isWithin(left.clone())).toBe(true);
        rest.add(probe);
        expect(left.equals(vectorOf(a))).toBe(true);
      }),
    );
  });

  it('comes back from its bytes, and the same set has the same bytes', () => {
    fc.assert(
      fc.property(dots, (added) => {
        const bytes = bytesOf(vectorOf(added));
        const reader = new ByteReader(bytes);
        const back = VersionVector.read(reader);
        reader.end();
        expect(back.equals(vectorOf(added))).toBe(true);
        expect(bytesOf(back)).toEqual(bytes);
      }),
    );
  });

  it('costs one range for a history without holes', () => {
    const vector = vectorOf(Array.from({ length: 10_000 }, (_, i) => ({ author: must(0), sequence: i + 1 })));
    expect(vector.size).toBe(1);
    expect(vector.last(must(0))).toBe(10_000);
    expect(vector.last(must(1))).toBe(0);
  });

  it('is refused with a CodecError when its bytes are anything else', () => {
    fc.assert(
      fc.property(dots, fc.nat(), fc.integer({ min: 1, max: 255 }), (added, at, flip) => {
        const bytes = Uint8Array.from(bytesOf(vectorOf(added)));
        const i = at % bytes.length;
        bytes[i] = (bytes[i] ?? 0) ^ flip;
        try {
          const reader = new ByteReader(bytes);
          const read = VersionVector.read(reader);
          reader.end();
          expect(bytesOf(read)).toEqual(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
        }
      }),
    );
  });
});

function vectorOf(added: readonly Dot[]): VersionVector {
  const vector = new VersionVector();
  for (const one of added) vector.add(one);
  return vector;
}

function joined(into: VersionVector, other: VersionVector): VersionVector {
  into.join(other);
  return into;
}

function bytesOf(vector: VersionVector): Uint8Array {
  return vector.write(new ByteWriter(100_000)).finish();
}

function isSame(a: Dot, b: Dot): boolean {
  return a.author === b.author && a.sequence === b.sequence;
}

function must(i: number) {
  const author = AUTHORS[i];
  if (author === undefined) throw new RangeError('no such author');
  return author;
}
