import { dialablePlaces } from './places.ts';

const TOLD = [
  '/ip4/127.0.0.1/tcp/9000',
  '/ip4/10.1.0.7/tcp/9000',
  '/ip4/172.18.0.3/tcp/9000',
  '/ip4/0.0.0.0/tcp/9000',
  '/ip4/172.18.0.3/udp/9000/quic-v1',
];

describe('the places a peer tells of', () => {
  it('begin with the host it is seen at, and leave out its loopback', () => {
    expect(dialablePlaces(TOLD, '/ip4/172.18.0.3/tcp/54321', 4)).toEqual([
      '/ip4/172.18.0.3/tcp/9000',
      '/ip4/10.1.0.7/tcp/9000',
    ]);
  });

  it('are loopback only for a peer that is seen there', () => {
    expect(dialablePlaces(TOLD, '/ip4/127.0.0.1/tcp/54321', 4)).toEqual(['/ip4/127.0.0.1/tcp/9000']);
  });

  it('are bounded', () => {
    expect(dialablePlaces(TOLD, '/ip4/172.18.0.3/tcp/54321', 1)).toEqual(['/ip4/172.18.0.3/tcp/9000']);
    expect(dialablePlaces(TOLD, '/ip4/172.18.0.3/tcp/54321', 0)).toEqual([]);
  });
});
