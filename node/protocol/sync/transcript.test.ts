/**
 * `test/vectors/sync-v2.json`: the messages of three sessions, one for each way to find a difference, from fixed states. Another
 * implementation that starts from the same records must send these bytes. `UPDATE_VECTORS=1` writes the file anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { NodeId } from '../ids.ts';
import { decodeRecord, type VerifiedRecord } from '../state/record.ts';
import { Replica, REPLICA_DEFAULTS } from '../state/replica.ts';
import { testIdentity, testRecord } from '../state/test-records.ts';
import { VersionVector } from '../state/version-vector.ts';
import { answer, ANSWER_DEFAULTS } from './answer.ts';
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from './codec.ts';
import { Settled } from './delta.ts';
import { ALL_FREIGHT } from './freight.ts';
import { recordsOf, type SyncReply, type SyncRequest } from './messages.ts';
import { Session, SESSION_DEFAULTS } from './session.ts';

interface Transcript {
  readonly name: string;
  /** hex */
  readonly salt: string;
  /** canonical records in hex */
  readonly asker: readonly string[];
  readonly answerer: readonly string[];
  /** question, reply, question, …; kind and hex */
  readonly messages: readonly (readonly [string, string])[];
  readonly root: string;
}

const FILE = fileURLToPath(new URL('../../../test/vectors/sync-v2.json', import.meta.url));
const NOW = 1_767_225_600_000;
const SALT = new Uint8Array(16).fill(7);

const [shared, onlyAsker, onlyAnswerer] = [
  records(1, 'shared', 40),
  records(2, 'asker', 3),
  records(3, 'answerer', 3),
];

describe('transcripts of anti-entropy', () => {
  const made = [
    transcript('version vectors', { isExplained: true, isStuck: false }),
    transcript('coded symbols', { isExplained: false, isStuck: false }),
    transcript('descent', { isExplained: false, isStuck: true }),
  ];
  if (process.env['UPDATE_VECTORS'] === '1') writeFileSync(FILE, `${JSON.stringify(made, null, 2)}\n`);
  const kept = JSON.parse(readFileSync(FILE, 'utf8')) as readonly Transcript[];

  it.each(made.map((one) => [one.name, one] as const))('%s: says the same bytes as ever', (name, one) => {
    expect(one).toEqual(kept.find((known) => known.name === name));
  });

  it.each(kept.map((one) => [one.name, one] as const))('%s: every message reads back', (_name, one) => {
    expect(one.messages.length).toBeGreaterThan(1);
    for (const [i, [kind, hex]] of one.messages.entries()) {
      const bytes = new Uint8Array(Buffer.from(hex, 'hex'));
      const message = i % 2 === 0 ? decodeRequest(bytes) : decodeReply(bytes);
      expect(message.type).toBe(kind);
    }
  });

  it('covers every kind of message but the refusal', () => {
    const kinds = new Set(kept.flatMap(({ messages }) => messages.map(([kind]) => kind)));
    expect([...kinds].toSorted()).toEqual([
      'cells',
      'compare',
      'delta',
      'differences',
      'missing',
      'sketch',
      'transfer',
      'transferred',
    ]);
  });
});

function transcript(
  name: string,
  { isExplained, isStuck }: { readonly isExplained: boolean; readonly isStuck: boolean },
): Transcript {
  const [asker, answerer] = [replica(4, onlyAsker), replica(5, onlyAnswerer)];
  const settled = new Settled();
  if (!isExplained) {
    settled.hear(answerer.vector.clone());
    settled.pulled.join(answerer.vector);
    settled.pushed.join(asker.vector);
  }
  const roots = { local: asker.root(), remote: answerer.root() };
  const session = new Session(
    { peer: 'peer' as NodeId, lung: 'http', at: 0, roots, settled, freight: ALL_FREIGHT, isStuck },
    SESSION_DEFAULTS,
  );
  const messages: [string, string][] = [];
  for (let question = session.next(asker); question !== null; question = session.next(asker)) {
    mergeAll(answerer, question);
    const reply = answer(
      question,
      { refused: 0, covered: [] },
      new VersionVector(),
      answerer,
      ANSWER_DEFAULTS,
    );
    mergeAll(asker, reply);
    messages.push([question.type, hexOf(encodeRequest(question))], [reply.type, hexOf(encodeReply(reply))]);
    expect(session.take(reply, asker)).toBeNull();
  }
  expect(asker.root()).toBe(answerer.root());
  return {
    name,
    salt: hexOf(SALT),
    asker: [...shared, ...onlyAsker].map(({ bytes }) => hexOf(bytes)),
    answerer: [...shared, ...onlyAnswerer].map(({ bytes }) => hexOf(bytes)),
    messages,
    root: asker.root(),
  };
}

function replica(n: number, own: readonly VerifiedRecord[]): Replica {
  const identity = testIdentity(n);
  const modules = { self: identity.id, sign: (bytes: Uint8Array) => identity.sign(bytes), sketchSalt: SALT };
  const made = new Replica(modules, REPLICA_DEFAULTS);
  for (const record of [...shared, ...own]) made.merge(record, NOW);
  return made;
}

function records(author: number, prefix: string, count: number): readonly VerifiedRecord[] {
  return Array.from({ length: count }, (_, i) =>
    testRecord({
      author: testIdentity(author),
      key: `${prefix}/${i}`,
      value: String(i),
      sequence: i + 1,
      stamp: { wallMs: 1_000 + i, counter: 0 },
    }),
  );
}

function mergeAll(target: Replica, message: SyncRequest | SyncReply): void {
  for (const { bytes } of recordsOf(message)) target.merge(decodeRecord(bytes) as VerifiedRecord, NOW);
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
