/**
 * Assembles libp2p: the only file that names its packages, and it loads them when called, so that a process serves
 * HTTP before it has read libp2p's hundred files.
 *
 * What is switched off, and why: libp2p's connection monitor (our beats notice sooner), its reconnecting (our dialer
 * is quicker), its limit of five inbound connections per second and host (five nodes may share one address), idle
 * time-outs (beats decide who lives), yamux's keep-alive (likewise).
 */
import { hash } from 'node:crypto';
import { MESSAGE_BYTES_MAX } from '../../ports.ts';
import type { Identity } from '../../ports.ts';
import { identityFromSeed } from '../../protocol/state/signature.ts';
import type { Arrivals } from './arrivals.ts';
import { P2pStartError, reasonOf } from './errors.ts';
import { networkKeyOf, swarmKeyOf } from './keys.ts';
import type { P2pOptions } from './options.ts';
import type { Gater, MakeProtector, Stack } from './types.ts';

/** Room for the protobuf around one message; one RPC of ours never carries two. */
const RPC_BYTES_MAX = MESSAGE_BYTES_MAX + 65_536;

/** Peers may be pruned from the mesh for a second at most: the least that gossipsub's wire format can say. */
const PRUNE_BACKOFF_MS = 1000;

/** What a strained node may take so many times as long for. */
const STRAINED_TIMES = 5;

/** Longer than our own patience (pace.ts), twice: for the answer, and for the handshake. */
const DIAL_LIMIT_MS = 40_000;

/** Progress of a dial: the other machine has taken the connection, and its process may answer. */
export const ACCEPTED = 'aethel:accepted';

export interface StackModules {
  readonly identity: Identity;
  readonly gater: Gater;
  readonly arrivals: Arrivals;
  readonly onRefusedMessage: (peer: string, reason: string) => void;
}

/** @returns libp2p, assembled and not started */
export async function assembleStack(modules: StackModules, options: P2pOptions): Promise<Stack> {
  const [
    { createLibp2p },
    { gossipsub, StrictNoSign, TopicValidatorResult },
    { noise },
    { yamux },
    { tcp },
    { identify },
    { preSharedKey },
    { privateKeyFromRaw },
    { peerIdFromPrivateKey },
    { multiaddr },
  ] = await Promise.all([
    import('libp2p'),
    import('@chainsafe/libp2p-gossipsub'),
    import('@chainsafe/libp2p-noise'),
    import('@chainsafe/libp2p-yamux'),
    import('@libp2p/tcp'),
    import('@libp2p/identify'),
    import('@libp2p/pnet'),
    import('@libp2p/crypto/keys'),
    import('@libp2p/peer-id'),
    import('@multiformats/multiaddr'),
  ]);
  for (const address of options.listen) {
    try {
      multiaddr(address);
    } catch (error) {
      throw new P2pStartError('p2p_listen_failed', `${address}: ${reasonOf(error)}`, error);
    }
  }
  const { seed } = modules.identity;
  // libp2p would derive the public key from the seed in 40 ms of big integers; ours takes some microseconds.
  const privateKey = privateKeyFromRaw(Buffer.concat([seed, identityFromSeed(seed).publicKey]));
  const peerId = peerIdFromPrivateKey(privateKey).toString();
  if (peerId !== modules.identity.id) {
    throw new P2pStartError('p2p_bad_key', `the identity's seed makes ${peerId}, not ${modules.identity.id}`);
  }
  const stack: Stack = await createLibp2p({
    start: false,
    privateKey,
    addresses: { listen: [...options.listen] },
    transports: [tcp({ inboundSocketInactivityTimeout: 0, outboundSocketInactivityTimeout: 0 })],
    connectionProtector: watchedProtector(await protectorOf(preSharedKey, options), modules.arrivals),
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ enableKeepAlive: false })],
    connectionGater: modules.gater,
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections: options.connectionsMax,
      maxIncomingPendingConnections: options.connectionsMax,
      inboundConnectionThreshold: options.connectionsMax,
      // libp2p's own limits cannot grow with strain, and some of the time is waiting for a turn: ours come first where there are some
      addressDialTimeout: DIAL_LIMIT_MS,
      inboundUpgradeTimeout: STRAINED_TIMES * options.handshakeTimeoutMs,
      outboundStreamProtocolNegotiationTimeout: STRAINED_TIMES * options.streamTimeoutMs,
      inboundStreamProtocolNegotiationTimeout: STRAINED_TIMES * options.streamTimeoutMs,
      reconnectRetries: 0,
    },
    services: {
      identify: identify({ timeout: STRAINED_TIMES * options.handshakeTimeoutMs }),
      gossip: gossipsub({
        globalSignaturePolicy: StrictNoSign,
        allowedTopics: [options.topic],
        msgIdFn: (message) => hash('sha256', message.data, 'buffer'),
        floodPublish: true,
        allowPublishToZeroTopicPeers: true,
        ignoreDuplicatePublishError: true,
        fallbackToFloodsub: false,
        heartbeatInterval: options.gossipHeartbeatMs,
        pruneBackoff: PRUNE_BACKOFF_MS,
        unsubcribeBackoff: PRUNE_BACKOFF_MS,
        graftFloodThreshold: 0,
        // no IHAVE, so no IWANT: several messages would share one RPC, and an RPC above the limit ends gossip with
        // that peer. What a tree of eager pushes misses, anti-entropy repairs.
        Dlazy: 0,
        gossipFactor: 0,
        // nor is anything kept to answer them with, counted in heartbeats
        mcacheLength: 1,
        mcacheGossip: 1,
        // members hold the cluster's key; scores would only mute those that share an address or were just cut off
        scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0 },
        tagMeshPeers: false,
        maxInboundDataLength: RPC_BYTES_MAX,
        maxOutboundBufferSize: options.gossipBufferBytesMax,
        decodeRpcLimits: {
          maxSubscriptions: 16,
          maxMessages: 16,
          maxIhaveMessageIDs: 512,
          maxIwantMessageIDs: 512,
          maxIdontwantMessageIDs: 512,
          maxControlMessages: 512,
          maxPeerInfos: 16,
        },
      }),
    },
  });
  stack.services.gossip.topicValidators.set(options.topic, (peer, message) => {
    if (message.data.length <= MESSAGE_BYTES_MAX) return TopicValidatorResult.Accept;
    modules.onRefusedMessage(peer.toString(), `gossip of ${message.data.length} bytes`);
    return TopicValidatorResult.Reject;
  });
  return stack;
}

type Protector = ReturnType<MakeProtector>;
type ProtectOptions = Parameters<Protector['protect']>[1] & {
  readonly onProgress?: (event: CustomEvent) => void;
};

/** libp2p tells nobody when TCP stands, and takes all at once who come: the private network is the first to see either. */
function watchedProtector(make: MakeProtector, arrivals: Arrivals): MakeProtector {
  return (components) => {
    const protector = make(components);
    return {
      // what the dialler hears of its progress by is among the options, though their type does not say so
      protect: async (connection, options: ProtectOptions) => {
        options?.onProgress?.(new CustomEvent(ACCEPTED));
        const own = await protector.protect(connection, options);
        if (connection.direction === 'inbound') await arrivals.enter(connection);
        return own;
      },
    };
  };
}

async function protectorOf(
  preSharedKey: (init: { readonly psk: Uint8Array }) => MakeProtector,
  { clusterKey, acceptedKey = null }: P2pOptions,
): Promise<MakeProtector> {
  try {
    const library = preSharedKey({ psk: swarmKeyOf(clusterKey) });
    if (acceptedKey === null) return library;
    const { eitherKey } = await import('./either-key.ts');
    return (components) => eitherKey(library(components), [clusterKey, acceptedKey].map(networkKeyOf));
  } catch (error) {
    throw new P2pStartError('p2p_bad_key', reasonOf(error), error);
  }
}

/** Starts libp2p, which stops itself again when it fails. */
export async function startStack(stack: Stack): Promise<void> {
  try {
    await stack.start();
  } catch (error) {
    const listening = error instanceof Error && error.name === 'UnsupportedListenAddressesError';
    throw new P2pStartError(listening ? 'p2p_listen_failed' : 'p2p_start_failed', causeOf(error), error);
  }
}

/** libp2p's message lists each address with a stack; the lines that say what happened are enough. */
function causeOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split('\n').filter((line) => /E[A-Z]{4,}|Error:/.test(line));
  return (lines.length > 0 ? lines : [text])
    .map((line) => line.trim())
    .join('; ')
    .slice(0, 400);
}
