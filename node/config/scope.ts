/**
 * Which cluster a key is for. Two clusters may share a key, a copied `.env` for instance, and a URL; their topics or names then
 * keep them apart on both lungs, because everything that a lung derives from the key it derives from this one.
 *
 *   scoped key = HKDF-SHA256(cluster key, info "aethel/cluster-scope/v1\n<topic>\n<name>"), 32 bytes
 *
 * With the default topic and no name it is the key itself, as it was before there were scopes.
 */
import { hkdfSync } from 'node:crypto';

export const DEFAULT_TOPIC = 'aethel/lattice/v1';

export interface Scope {
  readonly topic: string;
  readonly name: string | null;
}

export interface ScopedKeys {
  /** for what we say */
  readonly own: Uint8Array;
  /** another one by which members may come, while the key is being changed; null: none */
  readonly accepted: Uint8Array | null;
}

/** @param config the part of it that says who is a member */
export function scopedKeysOf(config: {
  readonly clusterKey: Uint8Array;
  readonly acceptedKey: Uint8Array | null;
  readonly clusterName: string | null;
  readonly p2p: { readonly topic: string };
}): ScopedKeys {
  const { clusterKey, acceptedKey, clusterName: name, p2p } = config;
  const scope: Scope = { topic: p2p.topic, name };
  return {
    own: scopedKeyOf(clusterKey, scope),
    accepted: acceptedKey === null ? null : scopedKeyOf(acceptedKey, scope),
  };
}

export function scopedKeyOf(clusterKey: Uint8Array, { topic, name }: Scope): Uint8Array {
  if (topic === DEFAULT_TOPIC && name === null) return clusterKey;
  // neither can hold a line end
  const info = `aethel/cluster-scope/v1\n${topic}\n${name ?? ''}`;
  return new Uint8Array(hkdfSync('sha256', clusterKey, new Uint8Array(0), info, 32));
}
