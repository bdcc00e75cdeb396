/**
 * The node's own shapes as the contract writes them, in snake_case.
 *
 * Entries become text directly, with the value's JSON text put in as it is kept: nothing is parsed and written again,
 * so no member's record can lose digits or exhaust the stack here.
 */
import type { LinkStatus, NodeStatus, ReadEntry } from '../ports.ts';
import type { LinkStatusResponse, StatusResponse } from './schemas.ts';

export function statusView(status: NodeStatus): StatusResponse {
  const reached = status.peers.filter((peer) => peer.p2p.state === 'alive').length;
  return {
    success: true,
    name: status.name,
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
    peers: status.peers.map((peer) => ({
      peer_id: peer.peerId,
      url: peer.url,
      p2p: linkView(peer.p2p),
      http: linkView(peer.http),
      merkle_root: peer.root,
    })),
  };
}

/** JSON text of an Entry of the contract. */
export function entryText(entry: ReadEntry): string {
  return `{${entryFieldsText(entry)}}`;
}

/** JSON text of an EntryResponse of the contract. */
export function entryResponseText(entry: ReadEntry): string {
  return `{"success":true,${entryFieldsText(entry)}}`;
}

function entryFieldsText(entry: ReadEntry): string {
  const { key, value, version, author, timestamp, siblings } = entry;
  const named = JSON.stringify({ version, author, timestamp, conflict: siblings.length > 0 }).slice(1, -1);
  return `"key":${JSON.stringify(key)},"value":${value},${named},"siblings":[${siblings.map(siblingText).join(',')}]`;
}

function siblingText(sibling: ReadEntry['siblings'][number]): string {
  const { value, version, author, timestamp } = sibling;
  const named = JSON.stringify({ deleted: value === null, version, author, timestamp }).slice(1, -1);
  return `{"value":${value ?? 'null'},${named}}`;
}

function linkView(link: LinkStatus): LinkStatusResponse {
  return { state: link.state, last_heard_ms: link.lastHeardMs, rtt_ms: link.rttMs };
}
