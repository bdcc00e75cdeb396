/**
 * @orbitdb/core as a process (stack.mjs): a key-value database over Helia's blocks and bitswap, with the parts of libp2p that it
 * asks for, all in memory.
 *
 * In its favour: Helia without HTTP gateways and routers, which would look for blocks on the internet, and no disk.
 */
import { once } from 'node:events';
import { bitswap } from '@helia/block-brokers';
import { Helia } from '@helia/utils';
import { gossipsub } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import { tcp } from '@libp2p/tcp';
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createOrbitDB, Identities, IPFSAccessController, KeyStore, MemoryStorage } from '@orbitdb/core';
import { MemoryBlockstore } from 'blockstore-core';
import { MemoryDatastore } from 'datastore-core';
import { createLibp2p } from 'libp2p';
import { serve } from './stack.mjs';

const libp2p = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
});
const ipfs = new Helia({
  libp2p,
  blockstore: new MemoryBlockstore(),
  datastore: new MemoryDatastore(),
  blockBrokers: [bitswap()],
  routers: [],
});
await ipfs.start();
const identities = await Identities({ ipfs, keystore: await KeyStore({ storage: await MemoryStorage() }) });
const orbitdb = await createOrbitDB({ ipfs, identities, id: String(libp2p.peerId) });
const database = await orbitdb.open('bench', {
  type: 'keyvalue',
  AccessController: IPFSAccessController({ write: ['*'], storage: await MemoryStorage() }),
  headsStorage: await MemoryStorage(),
  indexStorage: await MemoryStorage(),
});

const port = Number(/tcp\/(\d+)/.exec(String(libp2p.getMultiaddrs()[0]))[1]);
serve(port, {
  write: async (entries) => {
    let bytes = 0;
    for (const { key, value } of entries)
      bytes += (await database.log.storage.get(await database.put(key, value))).length;
    return bytes;
  },
  dial: (at) => libp2p.dial(multiaddr(`/ip4/127.0.0.1/tcp/${at}`)).then(() => undefined),
  // An update is told when a head and all that it rests on has come.
  holds: async (count) => {
    while ((await entries()) < count) await once(database.events, 'update');
  },
});

async function entries() {
  let count = 0;
  for await (const entry of database.log.iterator()) count += entry === null ? 0 : 1;
  return count;
}
