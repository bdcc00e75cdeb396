/**
 * How members know each other over HTTP: every request and every answer carries a MAC under a key that only holders of
 * the cluster's key can derive. A request is bound to its receiver, its time and a nonce, an answer to the nonce it answers.
 *
 *   key      = HKDF-SHA256(cluster key, info "aethel/http/v1"), 32 bytes
 *   request  = aethel-member, aethel-to, aethel-time (ms), aethel-nonce (16 bytes, hex), aethel-digest (SHA-256 of the body, hex), aethel-mac
 *   answer   = aethel-member, aethel-mac; of the state also aethel-records, aethel-wall
 *
 * Only the question who lives at a URL, a plain GET of the state, may leave `aethel-to` out. Whoever repeats a request to
 * another member gets nothing from it.
 *
 * The digest of the body travels as a header of its own, so that a stranger is turned away before a byte of body is read.
 */
import {
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import type { Clock } from '../../ports.ts';
import type { NodeId } from '../../protocol/ids.ts';

export const STATE_PATH = '/api/lattice/state';
export const SYNC_PATH = '/api/lattice/sync';

export const MEMBER_HEADER = 'aethel-member';
/** the member that is asked */
export const TO_HEADER = 'aethel-to';
export const TIME_HEADER = 'aethel-time';
export const NONCE_HEADER = 'aethel-nonce';
export const DIGEST_HEADER = 'aethel-digest';
export const MAC_HEADER = 'aethel-mac';
/** how many records stand behind the root of an answer, see Beacon */
export const RECORDS_HEADER = 'aethel-records';
/** behind that number where the store of the member lost records */
export const HEALING_SUFFIX = ';healing';
/** the wall clock of the member that answers, ms, as it stands: what it is compared by must show when it was set */
export const WALL_HEADER = 'aethel-wall';

/**
 * The port at which the asker answers HTTP, at the address where it is seen. A hint outside the MAC: whoever answers there must prove
 * itself, and is asked only while the asker is not reached otherwise.
 */
export const PORT_HEADER = 'aethel-port';

export type MemberKey = KeyObject;

export interface RequestFacts {
  readonly method: string;
  /** path and query as sent */
  readonly target: string;
  readonly member: NodeId;
  /** '' when the asker does not know whom it asks */
  readonly to: NodeId | '';
  /** ms since the epoch, as the asker believes */
  readonly time: number;
  readonly nonce: string;
  /** the header's value, '' when absent */
  readonly ifNoneMatch: string;
  /** SHA-256 of the body, hex */
  readonly digest: string;
}

export interface AnswerFacts {
  /** of the request that is answered */
  readonly nonce: string;
  readonly status: number;
  readonly member: NodeId;
  /** headers' values, '' when absent */
  readonly etag: string;
  readonly records: string;
  readonly wall: string;
  readonly digest: string;
}

export function memberKeyOf(clusterKey: Uint8Array): MemberKey {
  return createSecretKey(
    Buffer.from(hkdfSync('sha256', clusterKey, new Uint8Array(0), 'aethel/http/v1', 32)),
  );
}

export function requestMac(key: MemberKey, facts: RequestFacts): string {
  const { method, target, member, to, time, nonce, ifNoneMatch, digest } = facts;
  return mac(key, [
    'aethel/http-request/v1',
    method,
    target,
    member,
    to,
    String(time),
    nonce,
    ifNoneMatch,
    digest,
  ]);
}

export function answerMac(key: MemberKey, facts: AnswerFacts): string {
  const { nonce, status, member, etag, records, wall, digest } = facts;
  return mac(key, ['aethel/http-response/v1', nonce, String(status), member, etag, records, wall, digest]);
}

/** In a time that does not depend on where they differ. */
export function isSameMac(given: string, right: string): boolean {
  return (
    given.length === right.length &&
    timingSafeEqual(Buffer.from(given, 'latin1'), Buffer.from(right, 'latin1'))
  );
}

export function digestOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}

/** No field can hold a line end: HTTP forbids it in targets and headers, and the others are numbers and names. */
function mac(key: MemberKey, lines: readonly string[]): string {
  return createHmac('sha256', key).update(lines.join('\n')).digest('hex');
}

/**
 * The wall clock as it was at the start, carried on by the clock that never goes back: a clock that is set while the
 * process runs neither revives old nonces nor makes fresh requests look old.
 *
 * @returns ms since the epoch, whole
 */
export function steadyTime(clock: Clock): () => number {
  const offset = clock.wallMs() - clock.monotonicMs();
  return () => Math.round(offset + clock.monotonicMs());
}
