/** The private network with two keys: who can reach whom while the cluster's key is being changed. */
import { preSharedKey } from '@libp2p/pnet';
import { byteStream, multiaddrConnectionPair } from '@libp2p/utils';
import fc from 'fast-check';
import {
  identityFrom,
  linked,
  realClock,
  Recorded,
  silentLogger,
  until,
} from '../../../test/contract/lung-kit.ts';
import { eitherKey } from './either-key.ts';
import { networkKeyOf, swarmKeyOf } from './keys.ts';
import { P2pLung } from './p2p-lung.ts';

const OLD = new Uint8Array(32).fill(1);
const NEW = new Uint8Array(32).fill(2);
const OTHERS = new Uint8Array(32).fill(3);

/** A node in each phase of a change of keys, and one that has no part in it. */
const PHASES = {
  old: { clusterKey: OLD, acceptedKey: null },
  'old, new accepted': { clusterKey: OLD, acceptedKey: NEW },
  'new, old accepted': { clusterKey: NEW, acceptedKey: OLD },
  new: { clusterKey: NEW, acceptedKey: null },
  stranger: { clusterKey: OTHERS, acceptedKey: null },
};
type Phase = keyof typeof PHASES;

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

it.each<[Phase, Phase]>([
  ['old', 'old, new accepted'],
  ['old, new accepted', 'old'],
  ['old, new accepted', 'old, new accepted'],
  ['old, new accepted', 'new, old accepted'],
  ['new, old accepted', 'old, new accepted'],
  ['new, old accepted', 'new, old accepted'],
  ['new, old accepted', 'new'],
  ['new', 'new, old accepted'],
])('%s dials %s: a link, and messages of any size both ways', async (dialling, dialled) => {
  const b = await started(2, dialled);
  const a = await started(1, dialling, b.lung.listenMultiaddrs());
  await linked(a, b);
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const bytes = Buffer.alloc(700_000, `${from.id} `);
    await until('a large message arrives', () => {
      from.lung.perform({ type: 'publish', bytes });
      return to.all('gossip').some((event) => bytes.equals(event.bytes));
    });
  }
});

it.each<[Phase, Phase]>([
  ['old', 'new'],
  ['new, old accepted', 'old'],
  ['stranger', 'old, new accepted'],
  ['stranger', 'new, old accepted'],
])('%s dials %s in vain, and both say so', async (dialling, dialled) => {
  const b = await started(2, dialled);
  const a = await started(1, dialling, b.lung.listenMultiaddrs());
  for (const side of [a, b])
    await until('refused', () => side.all('refused').some(({ what }) => what === 'peer'));
  expect([...a.all('link'), ...b.all('link')]).toEqual([]);
});

it('finds the key however the first bytes are cut', async () => {
  const greeting = Buffer.from('\x13/multistream/1.0.0\n');
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(OLD, NEW),
      fc.uint8Array({ maxLength: 300 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
      async (key, rest, cuts) => {
        const [out, into] = multiaddrConnectionPair();
        const library = (ours: Uint8Array) => preSharedKey({ psk: swarmKeyOf(ours) })();
        const signal = AbortSignal.timeout(5_000);
        const [dialler, listener] = await Promise.all([
          library(key).protect(out, { signal }),
          eitherKey(library(OLD), [OLD, NEW].map(networkKeyOf)).protect(into, { signal }),
        ]);
        const said = Buffer.concat([greeting, rest]);
        const heard = byteStream(listener).read({ bytes: said.length, signal });
        for (let at = 0, i = 0; at < said.length; i += 1) {
          const end = at + (cuts[i % cuts.length] ?? 1);
          dialler.send(said.subarray(at, end));
          at = end;
        }
        expect(Buffer.from((await heard).subarray())).toEqual(said);
        const answer = byteStream(dialler).read({ bytes: said.length, signal });
        listener.send(said);
        expect(Buffer.from((await answer).subarray())).toEqual(said);
        dialler.abort(new Error('done'));
        listener.abort(new Error('done'));
      },
    ),
    { numRuns: 100 },
  );
});

interface Member extends Recorded {
  readonly lung: P2pLung;
}

async function started(seedByte: number, phase: Phase, bootstrap: readonly string[] = []): Promise<Member> {
  const identity = identityFrom(seedByte);
  const lung = new P2pLung(
    { identity, logger: silentLogger, clock: realClock, rng: Math.random },
    {
      listen: ['/ip4/127.0.0.1/tcp/0'],
      topic: 'test',
      bootstrap,
      handshakeTimeoutMs: 1_000,
      addressesPerPeerMax: 0,
      ...PHASES[phase],
    },
  );
  cleanups.push(() => lung.stop());
  const member = Object.assign(new Recorded(lung, identity.id), { lung });
  await member.start();
  return member;
}
