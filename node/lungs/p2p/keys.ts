/**
 * What the lung derives from secrets: the pre-shared key of the private network. The private network is an outer
 * cipher below Noise: without the cluster's key a peer reads only noise and cannot finish a handshake.
 *
 * @see https://github.com/libp2p/specs/blob/master/pnet/Private-Networks-PSK-V1.md
 */
import { hkdfSync } from 'node:crypto';

const CLUSTER_KEY_BYTES_MIN = 32;
const PSK_BYTES = 32;

/** HKDF-SHA256, no salt, so that the network's key says nothing about other keys derived from the same secret. */
const PSK_INFO = 'aethel/pnet/v1';

/** @returns the private network's key */
export function networkKeyOf(clusterKey: Uint8Array): Uint8Array {
  if (clusterKey.length < CLUSTER_KEY_BYTES_MIN) {
    throw new RangeError(
      `cluster key of ${clusterKey.length} bytes, at least ${CLUSTER_KEY_BYTES_MIN} are needed`,
    );
  }
  return new Uint8Array(hkdfSync('sha256', clusterKey, new Uint8Array(0), PSK_INFO, PSK_BYTES));
}

/** @returns a swarm key file, as libp2p's pnet reads it */
export function swarmKeyOf(clusterKey: Uint8Array): Uint8Array {
  const psk = Buffer.from(networkKeyOf(clusterKey)).toString('hex');
  return new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${psk}`);
}
