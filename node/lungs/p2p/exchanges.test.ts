/** What is hard to make happen on a real connection; the rest is in the contract of every lung. */
import { identityFrom, realClock } from '../../../test/contract/lung-kit.ts';
import { Exchanges } from './exchanges.ts';
import type { Connection, Stack, Stream } from './types.ts';

const PEER = identityFrom(2).id;

/** A stream that ended while it was opened. */
class DeadStream extends EventTarget {
  readonly readableEnded: boolean;
  aborted = false;

  constructor(readableEnded: boolean) {
    super();
    this.readableEnded = readableEnded;
  }

  send(): boolean {
    throw new Error('cannot write to a closed stream');
  }

  abort(): void {
    this.aborted = true;
    this.dispatchEvent(new Event('close'));
  }
}

describe('an exchange', () => {
  it.each([true, false])(
    'is unanswered, once, on a stream that was dead on arrival (ended: %s)',
    async (ended) => {
      const stream = new DeadStream(ended);
      const reasons: string[] = [];
      const unexpected = (): void => {
        throw new Error('unexpected');
      };
      const exchanges = new Exchanges(
        {
          stack: {} as unknown as Stack,
          clock: realClock,
          connectionTo: () =>
            ({ newStream: async () => stream as unknown as Stream }) as unknown as Connection,
          onAsked: unexpected,
          onAnswered: unexpected,
          onUnanswered: (_peer, _exchange, reason) => reasons.push(reason),
          onRefused: unexpected,
          onProgress: unexpected,
        },
        { exchangesPerPeerMax: 1, exchangeLimitMs: 1000 },
      );
      await exchanges.ask({ peer: PEER, exchange: 1, bytes: new Uint8Array(1), timeoutMs: 1000 });
      expect(reasons).toEqual(['cannot write to a closed stream']);
      expect(stream.aborted).toBe(true);
    },
  );
});
