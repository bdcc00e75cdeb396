import fc from 'fast-check';
import { CodecError } from '../codec.ts';
import { decodeBatch, encodeBatch } from '../gossip/batch.ts';
import type { Digest, RecordId } from '../ids.ts';
import { testIdentity, testRecord } from '../state/test-records.ts';
import { vectors } from '../state/version-vector.fixture.ts';
import { decodeReply, decodeRequest, encodeReply, encodeRequest, replyBytes, requestBytes } from './codec.ts';
import type { SyncReply, SyncRequest } from './messages.ts';

const digest = fc.stringMatching(/^[0-9a-f]{64}$/).map((text) => text as Digest);
const id = digest.map((text) => text as string as RecordId);
const prefix = fc.stringMatching(/^[0-9a-f]{0,64}$/);
const records = fc
  .array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 })
  .map((sequences) =>
    sequences.map((sequence) =>
      testRecord({ author: testIdentity(1), key: `k${sequence}`, value: String(sequence), sequence }),
    ),
  );

const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const dot = fc.option(
  fc.record({ author: fc.integer({ min: 1, max: 3 }).map((n) => testIdentity(n).id), sequence: number }),
);

const request: fc.Arbitrary<SyncRequest> = fc.oneof(
  fc.record({
    type: fc.constant('delta' as const),
    root: digest,
    vector: vectors,
    after: dot,
    bytesMax: number,
    records,
  }),
  fc.record({
    type: fc.constant('sketch' as const),
    root: digest,
    estimator: fc.uint8Array({ minLength: 192, maxLength: 192 }),
    from: number,
    count: fc.constant(0),
  }),
  fc.record({
    type: fc.constant('sketch' as const),
    root: digest,
    estimator: fc.constant(new Uint8Array()),
    from: number,
    count: fc.integer({ min: 1, max: 40_000 }),
  }),
  fc.record({
    type: fc.constant('compare' as const),
    root: digest,
    subtrees: fc.array(fc.record({ prefix, digest }), { maxLength: 5 }),
  }),
  fc.record({
    type: fc.constant('transfer' as const),
    root: digest,
    want: fc.array(id, { maxLength: 5 }),
    wantShort: fc.array(fc.integer({ min: 0, max: 2 ** 48 - 1 }), { maxLength: 5 }),
    records,
  }),
);

const difference = fc.oneof(
  fc.record({
    kind: fc.constant('children' as const),
    prefix,
    digests: fc.array(digest, { minLength: 16, maxLength: 16 }),
  }),
  fc.record({ kind: fc.constant('entries' as const), prefix, ids: fc.array(id, { maxLength: 5 }) }),
);
const positions = fc
  .uniqueArray(fc.nat(2_000), { maxLength: 5 })
  .map((some) => some.toSorted((a, b) => a - b));
const reply: fc.Arbitrary<SyncReply> = fc.oneof(
  fc.record({
    type: fc.constant('missing' as const),
    root: digest,
    vector: vectors,
    after: dot,
    left: number,
    records,
  }),
  fc.record({
    type: fc.constant('cells' as const),
    root: digest,
    from: number,
    cells: fc.array(fc.uint8Array({ minLength: 10, maxLength: 10 }), { maxLength: 5 }).map(flat),
  }),
  fc.record({
    type: fc.constant('differences' as const),
    root: digest,
    answered: number,
    differences: fc.array(difference, { maxLength: 4 }),
  }),
  fc.record({
    type: fc.constant('transferred' as const),
    root: digest,
    answered: number,
    refused: number,
    covered: positions,
    records,
  }),
  fc.record({ type: fc.constant('refused' as const), reason: fc.stringMatching(/^[a-z_]{0,40}$/) }),
);

describe('messages of anti-entropy', () => {
  it('come back as they were sent', () => {
    fc.assert(
      fc.property(request, (message) => expect(decodeRequest(encodeRequest(message))).toEqual(message)),
    );
    fc.assert(fc.property(reply, (message) => expect(decodeReply(encodeReply(message))).toEqual(message)));
  });

  it('are as long as is told without making them', () => {
    fc.assert(
      fc.property(request, reply, (asked, told) => {
        expect(requestBytes(asked)).toBe(encodeRequest(asked).length);
        expect(replyBytes(told)).toBe(encodeReply(told).length);
      }),
    );
  });

  it('are refused with a CodecError when they are anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        for (const decode of [decodeRequest, decodeReply, decodeBatch]) onlyCodecErrors(() => decode(bytes));
      }),
    );
  });

  it('are refused or read, never anything worse, when bytes flip or are missing', () => {
    fc.assert(
      fc.property(request, reply, fc.nat(), fc.integer({ min: 1, max: 255 }), (asked, replied, at, flip) => {
        for (const [bytes, decode] of [
          [encodeRequest(asked), decodeRequest],
          [encodeReply(replied), decodeReply],
        ] as const) {
          const broken = Uint8Array.from(bytes);
          const i = at % broken.length;
          broken[i] = (broken[i] ?? 0) ^ flip;
          onlyCodecErrors(() => decode(broken));
          expect(() => decode(bytes.subarray(0, i))).toThrow(CodecError);
        }
      }),
    );
  });
});

describe('gossip batches', () => {
  it('come back as they were sent, and the same records give the same bytes', () => {
    fc.assert(
      fc.property(records, (batch) => {
        expect(decodeBatch(encodeBatch(batch))).toEqual(batch);
        expect(encodeBatch(batch)).toEqual(encodeBatch([...batch]));
      }),
    );
  });
});

function flat(cells: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(cells));
}

function onlyCodecErrors(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
  }
}
