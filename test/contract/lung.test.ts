/** The lungs that deal in links, gossip and beats, against the contract. */
import { MemoryLung } from '../../node/lungs/memory/memory-lung.ts';
import { MemoryNetwork } from '../../node/lungs/memory/memory-network.ts';
import { P2pLung } from '../../node/lungs/p2p/p2p-lung.ts';
import { beaconOf, identityFrom, realClock, Recorded, silentLogger, timersEnded } from './lung-kit.ts';
import { describeLung } from './lung.ts';
import type { LungWorld } from './lung.ts';

afterAll(timersEnded);

function memoryWorld(): LungWorld {
  const network = new MemoryNetwork<MemoryLung>(realClock);
  const made: Recorded[] = [];
  return {
    make: async (seedByte) => {
      const { id } = identityFrom(seedByte);
      const lung = new MemoryLung('http', {
        id,
        network,
        beacon: () => beaconOf(String(seedByte % 10), seedByte),
      });
      const recorded = new Recorded(lung, id);
      made.push(recorded);
      await recorded.start();
      return recorded;
    },
    end: async () => {
      await Promise.all(made.map(({ lung }) => lung.stop()));
    },
  };
}

function p2pWorld(): LungWorld {
  const made: Recorded[] = [];
  const addresses: string[] = [];
  return {
    make: async (seedByte) => {
      const identity = identityFrom(seedByte);
      const lung = new P2pLung(
        { identity, logger: silentLogger, clock: realClock, rng: Math.random },
        {
          listen: ['/ip4/127.0.0.1/tcp/0'],
          topic: 'test',
          clusterKey: new Uint8Array(32).fill(1),
          bootstrap: addresses,
        },
      );
      const recorded = new Recorded(lung, identity.id);
      made.push(recorded);
      await recorded.start();
      addresses.push(...lung.listenMultiaddrs());
      return recorded;
    },
    end: async () => {
      await Promise.all(made.map(({ lung }) => lung.stop()));
    },
  };
}

describeLung('memory', { gossip: true, beats: true, polls: true }, memoryWorld);
describeLung('p2p', { gossip: true, beats: true, polls: false }, p2pWorld);
