/**
 * Negentropy (range-based set reconciliation, NIP-77) as @nostr-dev-kit/sync has it: its engine at both ends.
 *
 * In its favour: no limit on frames (its sessions have one of 50 kB, which costs round trips), messages counted as the bytes that
 * the engine makes (on a relay's socket they are hex in JSON, twice as many), timestamps that are spread wide, so that the bounds
 * of ranges are short, and the sorted storage made before the clock starts (its sessions make it anew each time).
 * What follows, a request for the ids it needs and events back, is not counted either.
 */
import { Negentropy, NegentropyStorage } from '@nostr-dev-kit/sync';

/** @returns two sides that hold the same. @param entries { idBytes, seconds } */
export async function open(entries) {
  return [storageOf(entries), storageOf(entries)];
}

export async function add(storage, entries) {
  storage.unseal();
  insert(storage, entries);
  return storage;
}

/** @returns what it took until the asker knew what each side lacks */
export async function reconcile(asking, answering) {
  const asker = new Negentropy(asking);
  const answerer = new Negentropy(answering);
  let bytes = 0;
  let roundTrips = 0;
  let found = 0;
  let question = await asker.initiate();
  while (question !== undefined) {
    const { nextMessage: reply } = await answerer.reconcile(question);
    roundTrips += 1;
    bytes += question.length + reply.length;
    const { nextMessage, have, need } = await asker.reconcile(reply);
    found += have.length + need.length;
    question = nextMessage;
  }
  return { bytes, roundTrips, found };
}

function storageOf(entries) {
  const storage = new NegentropyStorage();
  insert(storage, entries);
  return storage;
}

function insert(storage, entries) {
  for (const { idBytes, seconds } of entries) storage.insert(seconds, idBytes);
  storage.seal();
}
