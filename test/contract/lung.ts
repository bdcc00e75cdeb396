/**
 * What every lung promises to the runtime, whatever carries it. An adapter passes the suite by giving a world: a way
 * to make lungs that can find one another.
 */
import { EXCHANGE_BYTES_MAX, MESSAGE_BYTES_MAX } from '../../node/ports.ts';
import type { LungEffect } from '../../node/ports.ts';
import { beaconOf, identityFrom, linked, until } from './lung-kit.ts';
import type { Recorded } from './lung-kit.ts';

export interface LungWorld {
  /** A started lung of the identity with this seed, which knows of those made before. */
  make(seedByte: number): Promise<Recorded>;
  /** Stops all that were made. */
  end(): Promise<void>;
}

/** What a lung does beyond exchanges and links. */
export interface LungCapabilities {
  readonly gossip: boolean;
  readonly beats: boolean;
  readonly polls: boolean;
}

const STRANGER = identityFrom(99).id;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const bytes = (of: string): Uint8Array => new TextEncoder().encode(of);

export function describeLung(name: string, capabilities: LungCapabilities, makeWorld: () => LungWorld): void {
  describe(`the ${name} lung`, () => {
    let world: LungWorld;

    beforeEach(() => {
      world = makeWorld();
    });

    afterEach(() => world.end());

    async function pair(): Promise<{ readonly a: Recorded; readonly b: Recorded }> {
      const a = await world.make(1);
      const b = await world.make(2);
      await linked(a, b);
      return { a, b };
    }

    it('tells both sides that the link is up, with an address', async () => {
      const { a, b } = await pair();
      for (const event of [...a.all('link'), ...b.all('link')]) {
        expect(event).toEqual(expect.objectContaining({ state: 'up', address: expect.stringMatching(/./) }));
      }
    });

    it('carries a question and brings back its answer with the round trip', async () => {
      const { a, b } = await pair();
      b.onAsked = (question) => bytes(`${text(question)}!`);
      a.lung.perform({ type: 'ask', peer: b.id, exchange: 7, bytes: bytes('who'), timeoutMs: 5000 });
      await until('answered', () => a.all('answered').length > 0);
      const [event] = a.all('answered');
      expect(event).toEqual(expect.objectContaining({ peer: b.id, exchange: 7 }));
      expect(text(event?.bytes ?? new Uint8Array(0))).toBe('who!');
      expect(event?.rttMs).toBeGreaterThanOrEqual(0);
      expect(b.all('asked').map((asked) => asked.peer)).toEqual([a.id]);
    });

    it('carries the largest message there and back', async () => {
      const { a, b } = await pair();
      b.onAsked = (question) => question;
      a.lung.perform({
        type: 'ask',
        peer: b.id,
        exchange: 1,
        bytes: new Uint8Array(EXCHANGE_BYTES_MAX).fill(5),
        timeoutMs: 10_000,
      });
      await until('answered', () => a.all('answered').length > 0);
      expect(a.all('answered')[0]?.bytes.length).toBe(EXCHANGE_BYTES_MAX);
    });

    it('says that a refused question stays unanswered', async () => {
      const { a, b } = await pair();
      b.onAsked = () => null;
      a.lung.perform({ type: 'ask', peer: b.id, exchange: 8, bytes: bytes('who'), timeoutMs: 5000 });
      await until('unanswered', () => a.all('unanswered').length > 0);
      expect(a.all('unanswered')[0]).toEqual(expect.objectContaining({ peer: b.id, exchange: 8 }));
    });

    it('gives a silent peer no more than the time-out', async () => {
      const { a, b } = await pair();
      b.onAsked = () => undefined;
      a.lung.perform({ type: 'ask', peer: b.id, exchange: 9, bytes: bytes('who'), timeoutMs: 100 });
      await until('unanswered', () => a.all('unanswered').length > 0);
      expect(a.all('unanswered')[0]).toEqual(expect.objectContaining({ exchange: 9, reason: 'timeout' }));
    });

    it('says that nobody answers a question to an unknown peer', async () => {
      const a = await world.make(1);
      a.lung.perform({ type: 'ask', peer: STRANGER, exchange: 3, bytes: bytes('who'), timeoutMs: 1000 });
      await until('unanswered', () => a.all('unanswered').length > 0);
      expect(a.all('unanswered')[0]).toEqual(expect.objectContaining({ peer: STRANGER, exchange: 3 }));
    });

    it('does not send a question above the limit, and the link survives', async () => {
      const { a, b } = await pair();
      b.onAsked = (question) => question;
      a.lung.perform({
        type: 'ask',
        peer: b.id,
        exchange: 1,
        bytes: new Uint8Array(EXCHANGE_BYTES_MAX + 1),
        timeoutMs: 5000,
      });
      a.lung.perform({ type: 'ask', peer: b.id, exchange: 2, bytes: bytes('still there?'), timeoutMs: 5000 });
      await until('answered', () => a.all('answered').length > 0);
      expect(a.all('unanswered').map((event) => event.exchange)).toEqual([1]);
      expect(a.isLinked(b.id)).toBe(true);
    });

    it('says nothing before perform returns, whatever it is given', async () => {
      const { a, b } = await pair();
      const tooLarge = new Uint8Array(EXCHANGE_BYTES_MAX + 1);
      const said = (effect: LungEffect): number => {
        const before = a.events.length;
        a.lung.perform(effect);
        return a.events.length - before;
      };
      const { root } = beaconOf('0', 0);
      expect([
        said({ type: 'ask', peer: STRANGER, exchange: 1, bytes: bytes('who'), timeoutMs: 5000 }),
        said({ type: 'ask', peer: b.id, exchange: 2, bytes: tooLarge, timeoutMs: 5000 }),
        said({ type: 'poll', peer: STRANGER, root, waitMs: 0 }),
        said({ type: 'publish', bytes: tooLarge }),
        said({ type: 'beat', peer: STRANGER, beacon: beaconOf('0', 0) }),
        said({ type: 'reset', peer: b.id }),
      ]).toEqual([0, 0, 0, 0, 0, 0]);
      await until('all failures are told', () => a.all('unanswered').length + a.all('silent').length >= 3);
      expect(a.all('unanswered').map((event) => event.exchange)).toEqual([1, 2]);
      const before = a.events.length;
      a.lung.perform({ type: 'ask', peer: STRANGER, exchange: 3, bytes: bytes('who'), timeoutMs: 5000 });
      await a.lung.stop();
      expect(a.events.slice(before).filter(({ type }) => type === 'unanswered')).toEqual([]);
    });

    it('tells a peer that the link is down when the other stops', async () => {
      const { a, b } = await pair();
      await b.lung.stop();
      await until('down', () => !a.isLinked(b.id));
      expect(a.all('link').map((event) => event.state)).toEqual(['up', 'down']);
    });

    it('says nothing after stop, and stops twice', async () => {
      const { a, b } = await pair();
      await b.lung.stop();
      const said = b.events.length;
      await b.lung.stop();
      b.lung.perform({ type: 'ask', peer: a.id, exchange: 1, bytes: bytes('who'), timeoutMs: 100 });
      b.lung.perform({ type: 'publish', bytes: bytes('late') });
      a.lung.perform({ type: 'publish', bytes: bytes('late') });
      await until('down', () => !a.isLinked(b.id));
      expect(b.events.length).toBe(said);
    });

    if (capabilities.gossip) {
      it('brings what one publishes to the other, once', async () => {
        const { a, b } = await pair();
        a.lung.perform({ type: 'publish', bytes: bytes('first') });
        a.lung.perform({ type: 'publish', bytes: bytes('second') });
        await until('both arrived', () => b.all('gossip').length >= 2);
        expect(
          b
            .all('gossip')
            .map((event) => text(event.bytes))
            .sort(),
        ).toEqual(['first', 'second']);
        expect(b.all('gossip').every((event) => event.peer === a.id)).toBe(true);
        expect(b.all('heard').length).toBeGreaterThan(0);
        expect(a.all('gossip')).toEqual([]);
      });

      it('brings the largest message', async () => {
        const { a, b } = await pair();
        a.lung.perform({ type: 'publish', bytes: new Uint8Array(MESSAGE_BYTES_MAX).fill(3) });
        await until('arrived', () => b.all('gossip').length > 0);
        expect(b.all('gossip')[0]?.bytes.length).toBe(MESSAGE_BYTES_MAX);
      });

      it('refuses to publish above the limit, and the link survives', async () => {
        const { a, b } = await pair();
        a.lung.perform({ type: 'publish', bytes: new Uint8Array(MESSAGE_BYTES_MAX + 1) });
        a.lung.perform({ type: 'publish', bytes: bytes('small') });
        await until('arrived', () => b.all('gossip').length > 0);
        expect(b.all('gossip').map((event) => text(event.bytes))).toEqual(['small']);
        expect(a.all('refused')).toEqual([expect.objectContaining({ what: 'message' })]);
        expect(a.isLinked(b.id)).toBe(true);
      });
    }

    if (capabilities.beats) {
      it('hears beats with the beacon, and measures the round trip', async () => {
        const { a, b } = await pair();
        const beat = (): void => {
          a.lung.perform({ type: 'beat', peer: b.id, beacon: beaconOf('a', 281_474_976_710_655) });
          b.lung.perform({ type: 'beat', peer: a.id, beacon: beaconOf('b', 0) });
        };
        await until('round trips both ways', () => {
          beat();
          return [a, b].every((side) => side.all('heard').some((event) => event.rttMs !== null));
        });
        expect(
          a.all('heard').every((event) => event.rttMs === null || (event.rttMs >= 0 && event.rttMs < 5000)),
        ).toBe(true);
        expect(a.all('heard').findLast((event) => event.beacon !== null)?.beacon).toEqual(beaconOf('b', 0));
        expect(b.all('heard').findLast((event) => event.beacon !== null)?.beacon).toEqual(
          beaconOf('a', 281_474_976_710_655),
        );
      });

      it('drops a beat to an unknown peer', async () => {
        const { a, b } = await pair();
        a.lung.perform({ type: 'beat', peer: STRANGER, beacon: beaconOf('a', 1) });
        expect(a.isLinked(b.id)).toBe(true);
      });
    }

    if (capabilities.polls) {
      it('answers a poll at once when the root is another', async () => {
        const { a, b } = await pair();
        a.lung.perform({ type: 'poll', peer: b.id, root: beaconOf('0', 0).root, waitMs: 60_000 });
        await until('heard', () =>
          a.all('heard').some((event) => event.beacon !== null && event.rttMs !== null),
        );
      });

      it('says that an unknown peer is silent', async () => {
        const { a } = await pair();
        a.lung.perform({ type: 'poll', peer: STRANGER, root: beaconOf('0', 0).root, waitMs: 10 });
        await until('silent', () => a.all('silent').length > 0);
        expect(a.all('silent')[0]?.peer).toBe(STRANGER);
      });
    }
  });
}
