/**
 * The node's own shapes as the contract writes them, in snake_case.
 *
 * Entries become text directly, with the value's JSON text put in as it is kept: nothing is parsed and written again,
 * so no member's record can lose digits or exhaust the stack here.
 */
import type { LinkStatus, NodeStatus, ProofDocument, ReadEntry } from '../ports.ts';
import type { Standing } from '../protocol/border.ts';
import { ABSENT_TOLD_MAX, VALUE_BYTES_MAX } from './schemas.ts';
import type { LinkStatusResponse, StandingResponse, StatusResponse } from './schemas.ts';

export function statusView(status: NodeStatus): StatusResponse {
  const reached = status.peers.filter((peer) => peer.p2p.state === 'alive').length;
  return {
    success: true,
    name: status.name,
    slot: status.slot,
    enabled: status.p2p.enabled,
    started: status.p2p.started,
    libp2p_available: true,
    error: status.p2p.error,
    http_sync_enabled: true,
    sync_mode: status.mode,
    forced_mode: status.forcedMode,
    mode_since: status.modeSince,
    last_switch: status.lastSwitch,
    heartbeat_active: status.p2p.started || status.httpUrls.length > 0,
    peer_id: status.peerId,
    topic: status.p2p.topic,
    listen_multiaddrs: [...status.p2p.listenMultiaddrs],
    bootstrap_peers: [...status.p2p.bootstrapPeers],
    peer_count: reached,
    has_peers: reached > 0,
    merkle_root: status.root,
    state_size: status.size,
    state_bytes: status.room.bytes,
    state_bytes_max: Number.isFinite(status.room.bytesMax) ? status.room.bytesMax : null,
    peers: status.peers.map((peer) => ({
      peer_id: peer.peerId,
      url: peer.url,
      p2p: linkView(peer.p2p),
      http: linkView(peer.http),
      merkle_root: peer.root,
    })),
    warnings: [...status.warnings],
    members: {
      counted: status.members.counted,
      needed_majority: status.members.majority,
      absent_count: status.members.absent.length,
      absent: status.members.absent.slice(0, ABSENT_TOLD_MAX).map(({ id, heardAtMs, countsUntilMs }) => ({
        peer_id: id,
        last_heard_at: heardAtMs,
        counts_until: countsUntilMs,
      })),
    },
  };
}

/** JSON text of an Entry of the contract. */
export function entryText(entry: ReadEntry): string {
  return `{${entryFieldsText(entry)}}`;
}

/** JSON text of an EntryResponse of the contract. @param extraText more members: `"a":1`, or '' */
export function entryResponseText(entry: ReadEntry, extraText: string): string {
  return `{"success":true,${entryFieldsText(entry)}${extraText === '' ? '' : `,${extraText}`}}`;
}

/** JSON members of a problem: what a key without a value still has to tell. */
export function absentText({ siblings }: ReadEntry): string {
  return `"conflict":${siblings.length > 0},"siblings":[${siblings.map(siblingText).join(',')}]`;
}

/** What lives of a key, for the one whose write was refused because of it; null where nothing is known of the key. */
export function standingView(standing: Standing | null): StandingResponse | null {
  if (standing === null) return null;
  const { version, author, timestamp, value } = standing;
  return { version, author, timestamp, deleted: value === null };
}

/** JSON text of what a write over a conflict replaced. Values come as long as they are no more together than one may be. */
export function replacedText(replaced: readonly Standing[]): string {
  let left = VALUE_BYTES_MAX;
  const texts = replaced.map((standing) => {
    const { value } = standing;
    left -= Buffer.byteLength(value ?? '');
    const head = JSON.stringify(standingView(standing));
    return left < 0 ? head : `${head.slice(0, -1)},"value":${value ?? 'null'}}`;
  });
  return `[${texts.join(',')}]`;
}

/** JSON members that a proof adds to an answer. */
export function proofText(proof: ProofDocument): string {
  return `"proof":${JSON.stringify(proof)}`;
}

/** Names and versions are texts of this node's own making, without a character that JSON escapes. */
function entryFieldsText({ key, value, version, author, timestamp, siblings }: ReadEntry): string {
  const others = siblings.length === 0 ? '' : siblings.map(siblingText).join(',');
  return (
    `"key":${JSON.stringify(key)},"value":${value ?? 'null'},"version":"${version}","author":"${author}",` +
    `"timestamp":${timestamp},"conflict":${siblings.length > 0},"siblings":[${others}]`
  );
}

function siblingText({ value, version, author, timestamp }: ReadEntry['siblings'][number]): string {
  return (
    `{"value":${value ?? 'null'},"deleted":${value === null},"version":"${version}","author":"${author}",` +
    `"timestamp":${timestamp}}`
  );
}

function linkView(link: LinkStatus): LinkStatusResponse {
  return { state: link.state, last_heard_ms: link.lastHeardMs, rtt_ms: link.rttMs };
}
