import { Room } from './room.ts';

describe('room for records', () => {
  const room = new Room(1_000);

  it('takes what fits, to the last byte, and nothing beyond', () => {
    expect(room.mayGrow(900, 100, false)).toBe(true);
    expect(room.mayGrow(900, 101, false)).toBe(false);
  });

  it('takes what does not grow, however large the state is already', () => {
    expect(room.mayGrow(5_000, 0, false)).toBe(true);
    expect(room.mayGrow(5_000, -10, true)).toBe(true);
    expect(room.mayGrow(5_000, 1, true)).toBe(false);
  });

  it('leaves a little more to what replaces something', () => {
    expect(room.mayGrow(1_000, 31, true)).toBe(true);
    expect(room.mayGrow(1_000, 32, true)).toBe(false);
    expect(room.mayGrow(1_000, 31, false)).toBe(false);
  });

  it('is roomy again a sixteenth below the bound', () => {
    expect(room.isRoomy(938)).toBe(false);
    expect(room.isRoomy(937)).toBe(true);
  });

  it('has no bound unless somebody gives one', () => {
    expect(new Room(Infinity).mayGrow(2 ** 50, 2 ** 50, false)).toBe(true);
  });
});
