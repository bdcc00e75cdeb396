/**
 * The few libp2p types this room uses, derived from the packages it depends on, so that no other room and no
 * transitive package is named. Types only: importing this file loads nothing of libp2p.
 */
import type { GossipSub } from '@chainsafe/libp2p-gossipsub';
import type { Identify } from '@libp2p/identify';
import type { Libp2p, Libp2pOptions } from 'libp2p';

export type Stack = Libp2p<{ identify: Identify; gossip: GossipSub }>;
export type Connection = Awaited<ReturnType<Stack['dial']>>;
export type Stream = Awaited<ReturnType<Connection['newStream']>>;
export type PeerId = Stack['peerId'];
export type MakeProtector = NonNullable<Libp2pOptions['connectionProtector']>;
export type Gater = NonNullable<Libp2pOptions['connectionGater']>;
/** makes a socket private to who has the key */
export type ConnectionProtector = ReturnType<MakeProtector>;
/** a socket before encryption and multiplexing */
export type RawConnection = Parameters<NonNullable<Gater['denyInboundConnection']>>[0];
