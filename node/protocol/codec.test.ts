import fc from 'fast-check';
import { ByteReader, ByteWriter, CodecError } from './codec.ts';

describe('codec', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xff }),
        fc.integer({ min: 0, max: 0xffff }),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.integer({ min: 0, max: 2 ** 48 - 1 }),
        fc.maxSafeNat(),
        fc.string({ unit: 'binary' }),
        fc.uint8Array(),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (u8, u16, u32, u48, u64, text, block, digest) => {
          const hex = Buffer.from(digest).toString('hex');
          const writer = new ByteWriter(10_000).u8(u8).u16(u16).u32(u32).u48(u48).u64(u64);
          const bytes = writer.text16(text).text32(text).block32(block).bytes(digest).hex32(hex).finish();
          expect(bytes.length).toBe(writer.length);
          const reader = new ByteReader(bytes);
          expect([reader.u8(), reader.u16(), reader.u32(), reader.u48(), reader.u64()]).toEqual([
            u8,
            u16,
            u32,
            u48,
            u64,
          ]);
          expect([reader.text16(10_000), reader.text32(10_000)]).toEqual([text, text]);
          expect(Buffer.compare(reader.block32(10_000), block)).toBe(0);
          expect(Buffer.compare(reader.bytes(32), digest)).toBe(0);
          expect(reader.hex32()).toBe(hex);
          reader.end();
        },
      ),
    );
  });

  it('is big-endian', () => {
    const bytes = new ByteWriter(100)
      .u16(0x0102)
      .u32(0x0304_0506)
      .u48(7)
      .u64(2 ** 53 - 1)
      .finish();
    expect(Buffer.from(bytes).toString('hex')).toBe('010203040506000000000007001fffffffffffff');
  });

  it.each([
    ['a number too large for its width', () => new ByteWriter(9).u8(256)],
    ['a negative number', () => new ByteWriter(9).u16(-1)],
    ['a fraction', () => new ByteWriter(9).u32(1.5)],
    ['a number that is none', () => new ByteWriter(9).u48(Number.NaN)],
    ['a number above the safe integers', () => new ByteWriter(9).u64(2 ** 53)],
    ['more bytes than allowed', () => new ByteWriter(9).u64(1).u16(1)],
    ['a text longer than its prefix can say', () => new ByteWriter(1e6).text16('x'.repeat(65_536))],
    ['a lone surrogate', () => new ByteWriter(99).text16('a\ud800b')],
    ['hex of the wrong length', () => new ByteWriter(99).hex32('00')],
    ['upper-case hex', () => new ByteWriter(99).hex32('A'.repeat(64))],
  ])('refuses to write %s', (_, write) => {
    expect(write).toThrow(CodecError);
  });

  it.each([
    ['beyond the end', '00', (reader: ByteReader) => reader.u16()],
    ['a number above the safe integers', '0020000000000000', (reader: ByteReader) => reader.u64()],
    ['a text that is cut off', '000541', (reader: ByteReader) => reader.text16(9)],
    ['a text above the limit', '00024141', (reader: ByteReader) => reader.text16(1)],
    ['a block above the limit', '000000024141', (reader: ByteReader) => reader.block32(1)],
    ['overlong UTF-8', '0002c080', (reader: ByteReader) => reader.text16(9)],
    ['a surrogate in UTF-8', '0003eda080', (reader: ByteReader) => reader.text16(9)],
    ['past something left over', '00', (reader: ByteReader) => reader.end()],
  ])('refuses to read %s', (_, hex, read) => {
    expect(() => read(new ByteReader(Buffer.from(hex, 'hex')))).toThrow(CodecError);
  });

  it('keeps NUL and a byte order mark as they are', () => {
    const text = '\ufeffa\0b';
    expect(new ByteReader(new ByteWriter(99).text16(text).finish()).text16(99)).toBe(text);
  });
});
