/**
 * One dial with two patiences: short until the other process has answered anything, so that a cut costs little and
 * the next SYN goes out soon; longer for the handshake after that, since an answer proves it alive, only busy.
 */
import type { Clock } from '../../ports.ts';
import { isNodeId } from '../../protocol/ids.ts';
import type { DueAddress } from './addresses.ts';
import type { DialOutcome } from './dialer.ts';
import { isHandshakeFailure, reasonOf } from './errors.ts';
import type { Stack } from './types.ts';

export interface DialModules {
  readonly stack: Stack;
  readonly clock: Clock;
  /** ends the dial when it fires */
  readonly stop: AbortSignal;
  /** whoever is there could not prove to be a member, or does not believe us to be one */
  readonly onStranger: (address: string, reason: string) => void;
}

export interface DialOptions {
  readonly handshakeTimeoutMs: number;
}

/** libp2p tells of it once the private network's nonces are exchanged */
const ANSWERED = 'upgrader:encrypt-outbound-connection';

/** Never rejects. */
export async function dialOnce(
  modules: DialModules,
  address: DueAddress,
  options: DialOptions,
): Promise<DialOutcome> {
  const { stack, clock, stop, onStranger } = modules;
  const abort = new AbortController();
  const giveUp = (): void => abort.abort(new Error('dial timed out'));
  let isTimeout = false;
  let cancel = clock.after(address.patienceMs, () => {
    isTimeout = true;
    giveUp();
  });
  stop.addEventListener('abort', giveUp);
  try {
    const { multiaddr } = await import('@multiformats/multiaddr');
    const connection = await stack.dial(multiaddr(address.text), {
      signal: abort.signal,
      onProgress: (event) => {
        if (event.type !== ANSWERED) return;
        cancel();
        cancel = clock.after(options.handshakeTimeoutMs, giveUp);
      },
    });
    const peer = connection.remotePeer.toString();
    return isNodeId(peer)
      ? { kind: 'member', peer }
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
