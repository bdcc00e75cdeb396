/**
 * The last rung, which always ends: walks both Merkle tries down to where they differ. Cost in proportion to the
 * difference times the depth of the trie, whatever the version vectors say and however unlucky the symbols are.
 *
 *     compare '' → unlike children → … → ids of unlike buckets
 */
import type { Replica } from '../state/replica.ts';
import type { Difference, Subtree, SyncReply, SyncRequest } from './messages.ts';
import type { Transfers } from './transfers.ts';

/** SHA-256 has 64 nibbles; a peer that answers "children" below that is broken. */
const PREFIX_NIBBLES_MAX = 64;
const NIBBLES = '0123456789abcdef';

export class Descent {
  readonly #transfers: Transfers;
  readonly #subtreesMax: number;
  /** subtrees still to be compared */
  readonly #frontier: string[] = [''];
  #asked: readonly string[] | null = null;

  /** @param subtreesMax in one question */
  constructor(transfers: Transfers, subtreesMax: number) {
    this.#transfers = transfers;
    this.#subtreesMax = subtreesMax;
  }

  next(replica: Replica): SyncRequest | null {
    if (this.#frontier.length === 0) return null;
    const prefixes = this.#frontier.slice(0, this.#subtreesMax);
    this.#asked = prefixes;
    const subtrees: Subtree[] = prefixes.map((prefix) => ({ prefix, digest: replica.trie.digest(prefix) }));
    return { type: 'compare', root: replica.root(), subtrees };
  }

  /** @returns what is wrong with the reply; null when nothing is */
  take(reply: SyncReply, replica: Replica): string | null {
    const asked = this.#asked;
    this.#asked = null;
    if (asked === null || reply.type !== 'differences') return 'wrong_reply_type';
    if (reply.answered < 1 || reply.answered > asked.length) return 'wrong_answered_count';
    const covered = new Set(asked.slice(0, reply.answered));
    this.#frontier.splice(0, reply.answered);
    for (const difference of reply.differences) {
      if (!covered.delete(difference.prefix)) return 'unasked_prefix';
      const wrong = this.#descend(difference, replica);
      if (wrong !== null) return wrong;
    }
    return null;
  }

  #descend(difference: Difference, replica: Replica): string | null {
    const { prefix } = difference;
    switch (difference.kind) {
      case 'children':
        if (prefix.length >= PREFIX_NIBBLES_MAX) return 'prefix_too_deep';
        difference.digests.forEach((digest, i) => {
          const child = prefix + NIBBLES.charAt(i);
          if (replica.trie.digest(child) !== digest) this.#frontier.push(child);
        });
        return null;
      case 'entries': {
        const theirs = new Set(difference.ids);
        const ours = new Set(replica.trie.ids(prefix, Number.MAX_SAFE_INTEGER));
        for (const id of theirs) if (!ours.has(id)) this.#transfers.listTheirs(id);
        for (const id of ours) if (!theirs.has(id)) this.#transfers.listOurs(id);
        return null;
      }
    }
  }
}
