/**
 * The knobs of the P2P lung. `P2P_DEFAULTS` is the tuned set; what a deployment must decide itself has no default.
 */

export interface P2pSettings {
  /** multiaddrs to listen on, `/ip4/…/tcp/…` or `/ip6/…/tcp/…`; empty: dial only */
  readonly listen: readonly string[];
  /** gossipsub topic; a peer that is not subscribed to it is no link */
  readonly topic: string;
  /** the cluster's secret, at least 32 bytes; peers with another one cannot finish a handshake */
  readonly clusterKey: Uint8Array;
  /** another secret by which peers may dial in, while the secret is being changed */
  readonly acceptedKey?: Uint8Array | null;
  /** multiaddrs with or without `/p2p/…`; dialled for ever */
  readonly bootstrap: readonly string[];
}

export interface P2pKnobs {
  /** ms for `start`, import of libp2p included. Default 10,000: an unbundled start takes 0.7–1.3 s when idle, more when starved */
  readonly startTimeoutMs: number;
  /** ms between two dials of one address, at first; each failure makes it 1.5 times longer. Default 250: measured, a heal is noticed in 0.05–0.3 s */
  readonly redialMinMs: number;
  /** ms between two dials of one address, at most. Default 1000: bounds the heal after a long cut at about this, as it is the distance of a SYN from the next */
  readonly redialMaxMs: number;
  /**
   * ms until a dial has an answer of the other process (two round trips), in turn while a place was never reached; the least that
   * is enough once it was. Default 500, 1000, 500, 2000: a far or slow peer gets its time, and a near one that was cut off costs
   * 500 ms a dial, since a dial into a cut is lost for as long as it lasts and so slows the heal.
   */
  readonly dialTimeoutsMs: readonly [number, ...number[]];
  /** ms for the cryptographic handshake once the other process has answered, and for an inbound one. Default 3000: a starved machine is slow, not dead */
  readonly handshakeTimeoutMs: number;
  /** dials under way at once. Default 16: a guess, well above five nodes with two addresses each; sixteen silent members delay nobody */
  readonly dialsMax: number;
  /** ms after which a discovered address that never led to a member is forgotten unless it is added again. Default 600,000: a guess; containers get new addresses */
  readonly addressForgetMs: number;
  /** addresses known at most, bootstrap included. Default 512 */
  readonly addressesMax: number;
  /** addresses taken from what one peer says of itself. Default 4 */
  readonly addressesPerPeerMax: number;
  /**
   * ms between gossipsub's heartbeats. Default 1000: with 200 an idle node cost a seventh more (ADR 16). A graft that missed the subscription waits
   * this long, and so does a link that has lost its gossip stream; what is written meanwhile is flooded to every linked member all the same
   */
  readonly gossipHeartbeatMs: number;
  /**
   * ms a connected peer has to become reachable by gossip in both directions before the connection is given up, at first; each one in vain
   * doubles it. Default 750: identify and a stream took 100–450 ms on a starved machine. With 3000 from the start, one link came 3 s late in one of three restarts
   */
  readonly gossipTimeoutMinMs: number;
  /** the same, at most. Default 3000: several handshakes */
  readonly gossipTimeoutMaxMs: number;
  /** ms to open a stream. Default 3000: a strained machine took more than 1000; gossipsub opens its streams one after another, so one silent peer delays the next until it is given up */
  readonly streamTimeoutMs: number;
  /** ms within which something heard proves an established connection alive when its peer dials again. Default 1000: a few heartbeats */
  readonly aliveMs: number;
  /** bytes waiting for one slow gossip stream before it is cut. Default 8 MiB: eight of the largest messages */
  readonly gossipBufferBytesMax: number;
  /** exchanges of one peer answered at once; more are reset. Default 8 */
  readonly exchangesPerPeerMax: number;
  /** ms in which one incoming exchange must be read, answered and written. Default 10,000 */
  readonly exchangeLimitMs: number;
  /** connections at most. Default 256 */
  readonly connectionsMax: number;
  /** ms that `stop` gives connections to close gracefully before they are aborted. Default 300 */
  readonly closeTimeoutMs: number;
}

export type P2pOptions = P2pSettings & P2pKnobs;

export const P2P_DEFAULTS: P2pKnobs = {
  startTimeoutMs: 10_000,
  redialMinMs: 250,
  redialMaxMs: 1000,
  dialTimeoutsMs: [500, 1000, 500, 2000],
  handshakeTimeoutMs: 3000,
  dialsMax: 16,
  addressForgetMs: 600_000,
  addressesMax: 512,
  addressesPerPeerMax: 4,
  gossipHeartbeatMs: 1000,
  gossipTimeoutMinMs: 750,
  gossipTimeoutMaxMs: 3000,
  streamTimeoutMs: 3000,
  aliveMs: 1000,
  gossipBufferBytesMax: 8 * 1_048_576,
  exchangesPerPeerMax: 8,
  exchangeLimitMs: 10_000,
  connectionsMax: 256,
  closeTimeoutMs: 300,
};
