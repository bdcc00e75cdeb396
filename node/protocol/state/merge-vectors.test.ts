/**
 * `test/vectors/merge-v1.json`: records of one key in the order of arrival, and what lives afterwards, the winner first.
 * `UPDATE_VECTORS=1` writes the file anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mergeKey, winnerOf } from './merge.ts';
import { decodeRecord, type SignedRecord, type VerifiedRecord } from './record.ts';
import { testIdentity, testRecord } from './test-records.ts';

interface Vector {
  readonly name: string;
  /** canonical records in hex */
  readonly arrived: readonly string[];
  /** ids, greatest first */
  readonly live: readonly string[];
}

const FILE = fileURLToPath(new URL('../../../test/vectors/merge-v1.json', import.meta.url));
const [ada, bob, eve] = [testIdentity(1), testIdentity(2), testIdentity(3)];

const first = testRecord({ author: ada, value: '1', sequence: 1, stamp: { wallMs: 1_000, counter: 0 } });
const second = testRecord({
  author: bob,
  value: '2',
  sequence: 1,
  context: [first.dot],
  stamp: { wallMs: 1_001, counter: 0 },
});
const beside = testRecord({ author: eve, value: '3', sequence: 1, stamp: { wallMs: 1_001, counter: 0 } });
const gone = testRecord({
  author: ada,
  value: null,
  sequence: 2,
  context: [first.dot],
  stamp: { wallMs: 1_002, counter: 0 },
});
const forged = testRecord({
  author: eve,
  value: '"too old to cover"',
  sequence: 9,
  context: [{ author: ada.id, sequence: 1 }],
  stamp: { wallMs: 999, counter: 0 },
});
const twin = testRecord({ author: ada, value: '"twin"', sequence: 1, stamp: { wallMs: 1_000, counter: 1 } });

const cases: readonly (readonly [string, readonly VerifiedRecord[]])[] = [
  ['one record', [first]],
  ['a successor replaces what it knew', [first, second]],
  ['a successor that came before it', [second, first]],
  ['two that did not know of each other: same stamp, the greater author wins', [second, beside]],
  ['a delete and a write that did not know of each other', [second, gone]],
  ['a record twice', [first, first]],
  ['a context does not reach what is younger than its record', [first, forged]],
  ['two records under one dot are both kept', [first, twin]],
  ['and one that replaces their dot replaces both', [first, twin, second]],
];

describe('the merge vectors', () => {
  const made = cases.map(([name, records]) => vectorOf(name, records));
  if (process.env['UPDATE_VECTORS'] === '1') writeFileSync(FILE, `${JSON.stringify(made, null, 2)}\n`);
  const kept = JSON.parse(readFileSync(FILE, 'utf8')) as readonly Vector[];

  it('are those in the file', () => {
    expect(made).toEqual(kept);
  });

  it.each(kept.map((vector) => [vector.name, vector] as const))('%s', (_name, { arrived, live }) => {
    const records = arrived.map((hex) => decodeRecord(Buffer.from(hex, 'hex')));
    expect(idsOf(merged(records))).toEqual(live);
    expect(winnerOf(merged(records.toReversed()))?.id).toBe(live[0]);
  });
});

function vectorOf(name: string, records: readonly SignedRecord[]): Vector {
  return {
    name,
    arrived: records.map(({ bytes }) => Buffer.from(bytes).toString('hex')),
    live: idsOf(merged(records)),
  };
}

function merged(records: readonly SignedRecord[]): readonly SignedRecord[] {
  return records.reduce<readonly SignedRecord[]>((live, record) => mergeKey(live, record).live, []);
}

function idsOf(records: readonly SignedRecord[]): readonly string[] {
  return records.map(({ id }) => id);
}
