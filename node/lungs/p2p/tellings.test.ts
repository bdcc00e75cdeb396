import { identityFrom } from '../../../test/contract/lung-kit.ts';
import { TOLD_ADDRESSES_MAX, TOLD_MEMBERS_MAX } from '../../ports.ts';
import { publicKeyOf } from '../../protocol/ids.ts';
import { FrameError } from './framing.ts';
import { decodeTelling, encodeTelling } from './tellings.ts';

const { id: PEER } = identityFrom(2);
const ADDRESSES = ['/ip4/192.0.2.1/tcp/9000', 'http://192.0.2.1:8000'];

describe('a telling', () => {
  it('comes back as it was told', () => {
    const told = [
      { peer: PEER, addresses: ADDRESSES },
      { peer: identityFrom(3).id, addresses: [] },
    ];
    expect(decodeTelling(encodeTelling(told))).toEqual(told);
    expect(decodeTelling(encodeTelling([]))).toEqual([]);
  });

  it('names so many members and addresses at most, and none that is too long', () => {
    const addresses = ['/dns4/' + 'x'.repeat(600), ...Array.from({ length: 9 }, (_, n) => `/a/${n}`)];
    const told = Array.from({ length: 300 }, () => ({ peer: PEER, addresses }));
    const heard = decodeTelling(encodeTelling(told));
    expect(heard).toHaveLength(TOLD_MEMBERS_MAX);
    expect(heard[0]?.addresses).toEqual(addresses.slice(1, 1 + TOLD_ADDRESSES_MAX));
  });

  it.each([
    ['nothing', Uint8Array.of()],
    ['too many members', Uint8Array.of(65)],
    ['half a key', Uint8Array.of(1, 1, 2, 3)],
    ['too many addresses', Uint8Array.from([1, ...publicKeyOf(PEER), 5])],
    ['more than it says', Uint8Array.from([1, ...publicKeyOf(PEER), 0, 0])],
  ])('of %s is refused', (_what, bytes) => {
    expect(() => decodeTelling(bytes)).toThrow(FrameError);
  });
});
