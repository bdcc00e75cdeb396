import fc from 'fast-check';
import type { Digest } from '../../protocol/ids.ts';
import { vectors } from '../../protocol/state/version-vector.fixture.ts';
import { BEAT_BYTES_MAX, decodeBeat, encodeBeat } from './beats.ts';
import { FrameError } from './framing.ts';

const time = fc.double({ min: 0, max: 1e12, noNaN: true });
const beats = fc.record({
  sequence: fc.integer({ min: 1, max: 0xffff_ffff }),
  sentMs: time,
  echo: fc.option(fc.record({ sentMs: time, holdMs: time })),
  beacon: fc.record({
    root: fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((bytes) => Buffer.from(bytes).toString('hex') as Digest),
    records: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    wallMs: fc.option(fc.integer({ min: 1, max: 2 ** 48 - 1 })),
    isWatching: fc.boolean(),
    isResting: fc.boolean(),
    isHealing: fc.boolean(),
    vector: fc.option(vectors),
  }),
});

describe('a beat on the wire', () => {
  it('reads back as it was written', () => {
    fc.assert(fc.property(beats, (beat) => expect(decodeBeat(encodeBeat(beat))).toEqual(beat)));
  });

  it('is either a beat or refused, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ minLength: 73, maxLength: 73 }),
          fc.uint8Array({ maxLength: BEAT_BYTES_MAX }),
        ),
        (bytes) => {
          try {
            const beat = decodeBeat(bytes);
            expect(Number.isFinite(beat.sentMs)).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(FrameError);
          }
        },
      ),
    );
  });
});
