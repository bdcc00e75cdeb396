/**
 * One dial with two patiences: short until the other process has answered anything, so that a cut costs little and
 * the next SYN goes out soon; longer for the handshake after that, since an answer proves it alive, only busy. Where this node turns out
 * to be strained while it waits, it waits on: what has come may not have been read yet.
 */
import type { Clock } from '../../ports.ts';
import { isNodeId } from '../../protocol/ids.ts';
import type { DueAddress } from './addresses.ts';
import type { DialOutcome } from './dialer.ts';
import { isHandshakeFailure, reasonOf } from './errors.ts';
import { afterPatience } from '../pace.ts';
import type { Strain } from '../pace.ts';
import { ACCEPTED } from './stack.ts';
import type { Stack } from './types.ts';

export interface DialModules {
  readonly stack: Stack;
  readonly clock: Clock;
  /** ends the dial when it fires */
  readonly stop: AbortSignal;
  /** whoever is there could not prove to be a member, or does not believe us to be one */
  readonly onStranger: (address: string, reason: string) => void;
  readonly strain: () => Strain;
}

export interface DialOptions {
  readonly handshakeTimeoutMs: number;
}

/** libp2p tells of it once the private network's nonces are exchanged */
const ANSWERED = 'upgrader:encrypt-outbound-connection';

/**
 * Never rejects.
 * @param accepted the other machine has taken the connection: from now on it costs both nodes something
 */
export async function dialOnce(
  modules: DialModules,
  address: DueAddress,
  options: DialOptions,
  accepted: () => void,
): Promise<DialOutcome> {
  const { stack, clock, stop, onStranger, strain } = modules;
  const abort = new AbortController();
  const giveUp = (): void => abort.abort(new Error('dial timed out'));
  const startedAt = clock.monotonicMs();
  let answeredMs: number | null = null;
  let isTimeout = false;
  let cancel = afterPatience(clock, address.patienceMs, strain, () => {
    isTimeout = true;
    giveUp();
  });
  stop.addEventListener('abort', giveUp);
  try {
    const { multiaddr } = await import('@multiformats/multiaddr');
    const connection = await stack.dial(multiaddr(address.text), {
      signal: abort.signal,
      onProgress: (event) => {
        const type: string = event.type;
        if (type === ACCEPTED) accepted();
        if (type !== ANSWERED) return;
        answeredMs = clock.monotonicMs() - startedAt;
        cancel();
        cancel = afterPatience(clock, options.handshakeTimeoutMs, strain, giveUp);
      },
    });
    const peer = connection.remotePeer.toString();
    return isNodeId(peer)
      ? { kind: 'member', peer, answeredMs }
      : { kind: 'failed', reason: `${peer} is no Ed25519 peer`, isTimeout };
  } catch (error) {
    const reason = reasonOf(error);
    if (/dial self/i.test(reason)) return { kind: 'self' };
    if (isHandshakeFailure(error)) onStranger(address.text, reason);
    return { kind: 'failed', reason, isTimeout };
  } finally {
    cancel();
    stop.removeEventListener('abort', giveUp);
  }
}
