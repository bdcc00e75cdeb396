import type { RecordId } from '../../ids.ts';
import { ShortIds } from './short-id.ts';
import { testId } from './test-ids.ts';

const SALT = Buffer.from('0123456789abcdef');

describe('short ids', () => {
  it('are the same at every member', () => {
    const id = testId('golden', 1);
    expect(id).toBe('a65e708bf319065a6e3e2635aae02596bc6cce2467fe91e66b168a07a661c66d');
    expect(new ShortIds(SALT).of(id)).toBe(0xc0fa_7995_ad09);
  });

  it('are the same of a text as of its bytes', () => {
    const shortIds = new ShortIds(SALT);
    for (let n = 0; n < 100; n++) {
      const id = testId('bytes', n);
      expect(shortIds.in(Buffer.from(`ffff${id}`, 'hex'), 2)).toBe(shortIds.of(id));
    }
  });

  it('are other ones under another salt', () => {
    const id = testId('golden', 1);
    expect(new ShortIds(Buffer.from('0123456789abcdeF')).of(id)).not.toBe(new ShortIds(SALT).of(id));
  });

  it('depend on every digit', () => {
    const shortIds = new ShortIds(SALT);
    const id = testId('digits', 1);
    const others = Array.from({ length: 64 }, (_, at) =>
      Array.from('0123456789abcdef', (digit) => id.slice(0, at) + digit + id.slice(at + 1)),
    );
    const unlike = new Set(others.flat());
    expect(new Set([...unlike].map((other) => shortIds.of(other as RecordId))).size).toBe(unlike.size);
  });

  it('are spread over all 48 bits', () => {
    const shortIds = new ShortIds(SALT);
    const shorts = Array.from({ length: 2_000 }, (_, n) => shortIds.of(testId('spread', n)));
    for (const short of shorts) expect(Number.isInteger(short) && short >= 0 && short < 2 ** 48).toBe(true);
    for (let bit = 0; bit < 48; bit++) {
      const ones = shorts.filter((short) => Math.floor(short / 2 ** bit) % 2 === 1).length;
      expect(Math.abs(ones - 1_000)).toBeLessThan(110);
    }
  });

  it('refuse a salt that can be guessed, and what is no record id', () => {
    expect(() => new ShortIds(new Uint8Array(15))).toThrow(RangeError);
    expect(() => new ShortIds(SALT).of('ab' as RecordId)).toThrow(RangeError);
  });
});
