import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import type { RecordId } from '../ids.ts';
import { mergeKey } from './merge.ts';
import { MerkleTrie, pathOf } from './merkle.ts';
import { prove } from './proof.ts';
import { proofDocument, signRoot, verifyDocument } from './proof-document.ts';
import type { DocumentVerdict, ProofDocument, ProofSource } from './proof-document.ts';
import type { SignedRecord } from './record.ts';
import { Replica, REPLICA_DEFAULTS } from './replica.ts';
import { TEST_SALT, testIdentity, testRecord } from './test-records.ts';

const [ada, bob, eve] = [testIdentity(1), testIdentity(2), testIdentity(3)];
const NOW = 1_700_000_000_000;
const VECTORS = new URL('../../../test/vectors/proof-v1.json', import.meta.url);

let made: ProofSource | null = null;

describe('proof document', () => {
  it('proves a value', () => {
    const verdict = verifyDocument(documentOf('greeting'), ada.id);
    expect(verdict).toMatchObject({ ok: true, key: 'greeting', state: 'value', siblings: [] });
    expect(winnerOf(verdict)?.value).toBe('"hello"');
  });

  it('proves a delete', () => {
    const verdict = verifyDocument(documentOf('deleted'), ada.id);
    expect(verdict).toMatchObject({ ok: true, state: 'tombstone', siblings: [] });
  });

  it('proves a conflict with its winner', () => {
    const verdict = verifyDocument(documentOf('disputed'), ada.id);
    expect(verdict).toMatchObject({ ok: true, state: 'value', siblings: [{ value: '"ada"' }] });
    expect(winnerOf(verdict)?.value).toBe('"bob"');
  });

  it('proves that nothing is known of a key', () => {
    const verdict = verifyDocument(documentOf('nowhere'), ada.id);
    expect(verdict).toMatchObject({ ok: true, state: 'absent', winner: null });
  });

  it('proves a key of an empty state', () => {
    const empty: ProofSource = { trie: new MerkleTrie(), get: () => null };
    const document = proofDocument(empty, 'k', signRoot(empty.trie.root(), NOW, ada));
    expect(verifyDocument(document, ada.id)).toMatchObject({ ok: true, state: 'absent' });
  });

  it('is made from a replica as it is', () => {
    const replica = new Replica(
      { self: ada.id, sign: (bytes) => ada.sign(bytes), sketchSalt: TEST_SALT },
      REPLICA_DEFAULTS,
    );
    for (let i = 0; i < 40; i++) replica.write([{ key: `key ${i}`, value: String(i) }], null, NOW);
    replica.write([{ key: 'key 7', value: null }], null, NOW);
    const signed = signRoot(replica.root(), NOW, ada);
    const verdicts = ['key 3', 'key 7', 'key 40'].map((key) =>
      verifyDocument(JSON.parse(JSON.stringify(proofDocument(replica, key, signed))), ada.id),
    );
    expect(verdicts).toMatchObject([{ state: 'value' }, { state: 'tombstone' }, { state: 'absent' }]);
    expect(winnerOf(verdicts[0] ?? { ok: false, reason: '' })?.value).toBe('3');
  });

  it('takes the word of the document for its signer only when nobody is expected', () => {
    expect(verifyDocument(documentOf('greeting'), null).ok).toBe(true);
    expect(reasonOf(verifyDocument(documentOf('greeting'), eve.id))).toMatch(/is signed by .*, not by /);
  });

  it('is made only of the present root', () => {
    const moved = new MerkleTrie();
    expect(() => proofDocument(source(), 'greeting', signRoot(moved.root(), NOW, ada))).toThrow(RangeError);
  });

  it('is invalid when any one character of its text is another, unless it says the same', () => {
    const keys = ['greeting', 'disputed', 'deleted'];
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.nat(), fc.integer({ min: 1, max: 127 }), (key, at, flip) => {
        const text = JSON.stringify(documentOf(key));
        const i = at % text.length;
        const bent = text.slice(0, i) + String.fromCharCode(text.charCodeAt(i) ^ flip) + text.slice(i + 1);
        let json: unknown;
        try {
          json = JSON.parse(bent);
        } catch {
          return;
        }
        const isSame = JSON.stringify(json) === text;
        expect(verifyDocument(json, ada.id).ok).toBe(isSame);
      }),
      { numRuns: 1500 },
    );
  });

  it('never proves anything false, whatever field is swapped for that of another document', () => {
    const keys = ['greeting', 'disputed', 'deleted', 'nowhere', 'k1', 'k2'];
    const fields = Object.keys(documentOf('k1')) as (keyof ProofDocument)[];
    fc.assert(
      fc.property(
        fc.constantFrom(...keys),
        fc.constantFrom(...keys),
        fc.subarray(fields, { minLength: 1 }),
        (key, other, swapped) => {
          const [a, b] = [documentOf(key), documentOf(other, NOW + 1)];
          const bent = { ...a, ...Object.fromEntries(swapped.map((field) => [field, b[field]])) };
          const verdict = verifyDocument(bent, ada.id);
          if (!verdict.ok) return;
          const truth = source().get(bent.key);
          expect(verdict.winner?.id).toBe(truth?.winner.id);
          expect(verdict.siblings.map(({ id }) => id)).toEqual((truth?.siblings ?? []).map(({ id }) => id));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('never throws on any JSON', () => {
    const shapes = fc.record(
      {
        version: fc.constant(1),
        key: fc.string({ unit: 'binary' }),
        root: fc.constant('0'.repeat(64)),
        timestamp: fc.oneof(fc.nat(), fc.double()),
        peer_id: fc.constantFrom<string>(ada.id, '', 'x'),
        signature: fc.base64String(),
        records: fc.array(fc.base64String()),
        path: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), shapes), (json) => {
        expect(verifyDocument(json, null).ok).toBe(false);
      }),
    );
  });

  describe('names what is wrong:', () => {
    const greeting = documentOf('greeting');
    const disputed = documentOf('disputed');
    it.each<readonly [string, unknown, RegExp]>([
      ['no object', 7, /malformed: document is no object/],
      ['no path', { ...greeting, path: undefined }, /malformed: proof is no object/],
      ['a field too many', { ...greeting, valid: true }, /unknown field "valid"/],
      ['another version', { ...greeting, version: 2 }, /version is not 1/],
      ['an empty key', { ...greeting, key: '' }, /key is not 1 to 512 bytes/],
      ['a lone surrogate', { ...greeting, key: '\ud800' }, /key is not 1 to 512 bytes/],
      ['a fraction of a millisecond', { ...greeting, timestamp: NOW + 0.5 }, /timestamp is no number/],
      ['no peer id', { ...greeting, peer_id: 'ada' }, /peer_id is no Ed25519 peer id/],
      [
        'loose base64',
        { ...greeting, signature: greeting.signature.replace('==', '') },
        /not canonical base64/,
      ],
      ['another time', { ...greeting, timestamp: NOW + 1 }, /signature of the root is not/],
      ['another signer', { ...greeting, peer_id: bob.id }, /signature of the root is not/],
      ['another key', { ...greeting, key: 'k1' }, /path is wrong|is of the key "greeting", not "k1"/],
      ['another path', { ...greeting, path: documentOf('k1').path }, /The path is wrong: the bucket/],
      ['no records', { ...greeting, records: [] }, /has 1 records under this key, the document brings 0/],
      [
        'a record of another key',
        { ...greeting, records: documentOf('k1').records },
        /is of the key "k1", not/,
      ],
      ['a record cut short', { ...greeting, records: ['AQA='] }, /Record 1 is not canonical/],
      ['a record with a foreign signature', { ...greeting, records: [forged()] }, /signature of its author/],
      ['an older record', { ...greeting, records: [base64(older())] }, /not among those that the root has/],
      ['the loser first', { ...disputed, records: disputed.records.toReversed() }, /winner comes first/],
      ['a sibling hidden', { ...disputed, records: disputed.records.slice(0, 1) }, /has 2 records/],
      [
        'a record twice',
        { ...disputed, records: [0, 0].map((i) => disputed.records[i]) },
        /Record 2 is there already/,
      ],
    ])('%s', (_name, document, reason) => {
      expect(reasonOf(verifyDocument(document, null))).toMatch(reason);
    });

    it('a node that keeps what was replaced', () => {
      const [old, fresh] = [older(), replacing()];
      const trie = new MerkleTrie();
      trie.set(pathOf('greeting'), [old.id, fresh.id]);
      const both: ProofSource = { trie, get: () => ({ winner: fresh, siblings: [old] }) };
      const document = proofDocument(both, 'greeting', signRoot(trie.root(), NOW, ada));
      expect(reasonOf(verifyDocument(document, ada.id))).toBe(
        'Record 2 is replaced by one before it, so it does not live.',
      );
    });

    it('a node that hides the record under its own path', () => {
      const honest = source();
      const forgetful: ProofSource = { trie: honest.trie, get: () => null };
      const document = proofDocument(forgetful, 'greeting', signRoot(honest.trie.root(), NOW, ada));
      expect(reasonOf(verifyDocument(document, ada.id))).toMatch(/has 1 records/);
    });
  });

  it('keeps to the published vectors', () => {
    const vectors = goldenVectors();
    if (process.env['UPDATE_VECTORS'] === '1')
      writeFileSync(VECTORS, `${JSON.stringify(vectors, null, 2)}\n`);
    const published = JSON.parse(readFileSync(VECTORS, 'utf8')) as typeof vectors;
    expect(vectors).toEqual(published);
    for (const { document, state, value } of published.valid) {
      const verdict = verifyDocument(document, ada.id);
      expect(verdict).toMatchObject({ ok: true, state });
      expect(winnerOf(verdict)?.value ?? null).toBe(value);
    }
    for (const { document } of published.invalid) expect(verifyDocument(document, ada.id).ok).toBe(false);
  });
});

function goldenVectors() {
  const valid = ['greeting', 'disputed', 'deleted', 'nowhere'].map((key) => {
    const document = documentOf(key);
    const verdict = verifyDocument(document, ada.id);
    return {
      name: key,
      state: verdict.ok ? verdict.state : verdict.reason,
      value: winnerOf(verdict)?.value ?? null,
      document,
    };
  });
  const greeting = documentOf('greeting');
  const invalid = [
    { name: 'another time', document: { ...greeting, timestamp: NOW + 1 } },
    { name: 'the record missing', document: { ...greeting, records: [] } },
    { name: 'the path of another key', document: { ...greeting, path: prove(source().trie, pathOf('k1')) } },
    {
      name: 'signed by another',
      document: proofDocument(source(), 'greeting', signRoot(source().trie.root(), NOW, bob)),
    },
    {
      name: 'the loser first',
      document: { ...documentOf('disputed'), records: documentOf('disputed').records.toReversed() },
    },
  ];
  return { peer_id: ada.id, valid, invalid };
}

function documentOf(key: string, timestamp = NOW): ProofDocument {
  return proofDocument(source(), key, signRoot(source().trie.root(), timestamp, ada));
}

function source(): ProofSource {
  made ??= makeSource();
  return made;
}

/** A state of some thirty keys: a value, a conflict, a tombstone, and company. */
function makeSource(): ProofSource {
  const live = new Map<string, readonly SignedRecord[]>();
  const add = (record: SignedRecord): void => {
    live.set(record.key, mergeKey(live.get(record.key) ?? [], record).live);
  };
  add(replacing());
  add(testRecord({ author: ada, key: 'disputed', value: '"ada"', sequence: 3 }));
  add(testRecord({ author: bob, key: 'disputed', value: '"bob"', stamp: { wallMs: 1001, counter: 0 } }));
  add(testRecord({ author: ada, key: 'deleted', value: null, sequence: 4 }));
  for (let i = 0; i < 30; i++) add(testRecord({ author: bob, key: `k${i}`, sequence: 10 + i }));
  const trie = new MerkleTrie();
  for (const [key, records] of live) {
    trie.set(
      pathOf(key),
      records.map(({ id }): RecordId => id),
    );
  }
  return {
    trie,
    get(key) {
      const [winner, ...siblings] = live.get(key) ?? [];
      return winner === undefined ? null : { winner, siblings };
    },
  };
}

function older(): SignedRecord {
  return testRecord({ author: ada, key: 'greeting', value: '"hi"' });
}

function replacing(): SignedRecord {
  return testRecord({
    author: ada,
    key: 'greeting',
    value: '"hello"',
    sequence: 2,
    context: [{ author: ada.id, sequence: 1 }],
    stamp: { wallMs: 2000, counter: 0 },
  });
}

/** Ada's record with the signature of Eve. */
function forged(): string {
  const { bytes } = replacing();
  const body = bytes.subarray(0, bytes.length - 64);
  return Buffer.concat([body, eve.sign(body)]).toString('base64');
}

function base64({ bytes }: SignedRecord): string {
  return Buffer.from(bytes).toString('base64');
}

function winnerOf(verdict: DocumentVerdict): SignedRecord | null {
  return verdict.ok ? verdict.winner : null;
}

function reasonOf(verdict: DocumentVerdict): string {
  return verdict.ok ? 'valid' : verdict.reason;
}
