import fc from 'fast-check';
import { FrameCutter, FrameError, frameOf } from './framing.ts';

describe('framing', () => {
  it('gives back the bodies in order, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 50 }),
        (bodies, step) => {
          const flow = Buffer.concat(bodies.map(frameOf));
          const cutter = new FrameCutter(40);
          const got: Uint8Array[] = [];
          for (let at = 0; at < flow.length; at += step)
            got.push(...cutter.push(flow.subarray(at, at + step)));
          expect(got.map((body) => [...body])).toEqual(bodies.map((body) => [...body]));
        },
      ),
    );
  });

  it('refuses a length above the limit before its bytes come', () => {
    expect(() => new FrameCutter(10).push(frameOf(new Uint8Array(11)).subarray(0, 4))).toThrow(FrameError);
  });
});
