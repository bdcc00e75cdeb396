/**
 * @canvas-js/okra's own `sync` between two of its in-memory trees, one end behind messages: those of @canvas-js/gossiplog, made by
 * the same authors to carry it (protobuf, with the length in front).
 *
 * In its favour: their messages name a leaf by key and hash and leave its value out, which is all that the walk needs, and the
 * walk finds what either side lacks in one pass, where gossiplog makes one from each side.
 */
import { sync } from '@canvas-js/okra';
import { Request, Response } from '@canvas-js/gossiplog/protocols/sync';
import { load } from './okra.mjs';

const NO_VALUE = new Uint8Array();

/** @returns two sides that hold the same. @param entries { keyBytes, idBytes }: what is kept under a key is the record's id */
export async function open(entries) {
  const sorted = entries
    .toSorted((a, b) => Buffer.compare(a.keyBytes, b.keyBytes))
    .map(({ keyBytes, idBytes }) => [keyBytes, idBytes]);
  return [(await load(sorted)).tree, (await load(sorted)).tree];
}

export async function add(tree, entries) {
  await tree.write((transaction) => {
    for (const { keyBytes, idBytes } of entries) transaction.set(keyBytes, idBytes);
  });
  return tree;
}

/** @returns what it took until the asker knew what each side lacks */
export async function reconcile(asking, answering) {
  return answering.read((theirs) =>
    asking.read(async (ours) => {
      const remote = new Remote(theirs);
      let found = 0;
      for await (const delta of sync(remote, ours)) found += delta === null ? 0 : 1;
      return { bytes: remote.bytes, roundTrips: remote.roundTrips, found };
    }),
  );
}

/** A tree at the other end of a line. */
class Remote {
  bytes = 0;
  roundTrips = 0;
  #transaction;

  constructor(transaction) {
    this.#transaction = transaction;
  }

  async getRoot() {
    const { getRoot } = this.#ask({ getRoot: {} }, () => ({
      getRoot: { root: toWire(this.#transaction.getRoot()) },
    }));
    return fromWire(getRoot.root);
  }

  async getNode(level, key) {
    const { getNode } = this.#ask({ getNode: { level, key: key ?? undefined } }, (asked) => {
      const node = this.#transaction.getNode(asked.getNode.level, keyOf(asked.getNode.key));
      return { getNode: node === null ? {} : { node: toWire(node) } };
    });
    return getNode.node === undefined ? null : fromWire(getNode.node);
  }

  async getChildren(level, key) {
    const { getChildren } = this.#ask({ getChildren: { level, key: key ?? undefined } }, (asked) => ({
      getChildren: {
        children: this.#transaction
          .getChildren(asked.getChildren.level, keyOf(asked.getChildren.key))
          .map(toWire),
      },
    }));
    return getChildren.children.map(fromWire);
  }

  #ask(question, answer) {
    const asked = Request.encode(question);
    const replied = Response.encode(answer(Request.decode(asked)));
    this.roundTrips += 1;
    this.bytes += framed(asked) + framed(replied);
    return Response.decode(replied);
  }
}

function toWire({ level, key, hash }) {
  return { level, key: key ?? undefined, hash };
}

function fromWire({ level, key, hash }) {
  return { level, key: keyOf(key), hash, value: level === 0 ? NO_VALUE : undefined };
}

function keyOf(key) {
  return key === undefined || key.length === 0 ? null : key;
}

/** With its length as a varint in front. */
function framed({ length }) {
  return length + Math.max(1, Math.ceil((32 - Math.clz32(length)) / 7));
}
