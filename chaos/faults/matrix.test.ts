import { checkMatrix } from './matrix.ts';

describe('a matrix of probes', () => {
  it('holds when everything is as it should be, if only at a later look', async () => {
    let looks = 0;
    const check = await checkMatrix(async () => [{ isAsWanted: (looks += 1) > 1, found: 'late' }], 'one');
    expect(check).toEqual({ claim: 'all 1 probes (one) found what they should, at look 2', holds: true });
  });

  it('shows nothing where nobody was asked', async () => {
    expect((await checkMatrix(async () => [], 'none')).holds).toBe(false);
  });
});
