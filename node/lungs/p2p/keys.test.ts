import { swarmKeyOf } from './keys.ts';

describe('the private network’s key', () => {
  it('is the same for the same cluster key, on every machine and version', () => {
    // RFC 5869 by hand: HMAC(HMAC(0, key), 'aethel/pnet/v1' 01)
    expect(new TextDecoder().decode(swarmKeyOf(Uint8Array.from({ length: 32 }, (_, i) => i)))).toBe(
      '/key/swarm/psk/1.0.0/\n/base16/\n7532e4bd5549e119cf7a3e41217fbefebb808b9985235b4e5ead2ea6030f905b',
    );
  });

  it('is another for another cluster key', () => {
    expect(swarmKeyOf(new Uint8Array(32))).not.toEqual(swarmKeyOf(new Uint8Array(32).fill(1)));
  });

  it('is refused to a short cluster key', () => {
    expect(() => swarmKeyOf(new Uint8Array(31))).toThrow(RangeError);
  });
});
