/** Why the P2P lung could not start. The code is for programs and logs, the message for people. */

export type P2pStartCode =
  /** `start` took longer than `startTimeoutMs` */
  | 'p2p_start_timeout'
  /** an address to listen on is malformed, taken or not ours */
  | 'p2p_listen_failed'
  /** the seed does not belong to the identity's id, or the cluster key is too short */
  | 'p2p_bad_key'
  /** `stop` was called before `start` ended */
  | 'p2p_stopped'
  | 'p2p_start_failed';

export class P2pStartError extends Error {
  override readonly name = 'P2pStartError';
  readonly code: P2pStartCode;

  constructor(code: P2pStartCode, message: string, cause?: unknown) {
    super(`${code}: ${message}`, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** @returns the first line of whatever was thrown: libp2p's messages carry stacks */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.split('\n', 1).join('').slice(0, 200);
}

/** Whether the other side could not, or would not, prove to be a member: libp2p's word for all that goes wrong before encryption stands. */
export function isHandshakeFailure(error: unknown): boolean {
  return error instanceof Error && error.name === 'EncryptionFailedError';
}
