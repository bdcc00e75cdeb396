import { limits } from '../checkers/limits.ts';
import { staysUp } from '../checkers/stays-up.ts';
import { SCENARIOS } from '../scenarios/index.ts';
import { inPortuguese } from './phrases.ts';

describe('the Portuguese of a report', () => {
  it.each([...SCENARIOS.values()].map(({ name, says }) => [name, says] as const))(
    'says what %s does',
    (_name, says) => {
      expect(inPortuguese(says)).not.toBeNull();
    },
  );

  const claims = new Map(
    [...SCENARIOS.values()].flatMap(({ checkers }) =>
      [...checkers, limits, staysUp].map((one) => [one.name, one.claim] as const),
    ),
  );
  it.each([...claims])('says what %s claims', (_name, claim) => {
    expect(inPortuguese(claim)).not.toBeNull();
  });

  it('keeps what a run puts in, and translates what it can of it', () => {
    expect(inPortuguese('12 acknowledged, looked for on 5 nodes')).toBe(
      '12 confirmadas, procuradas em 5 nós',
    );
    expect(
      inPortuguese('no acknowledged write is lost: 1 against it; 40 acknowledged, looked for on 5 nodes'),
    ).toBe('nenhuma escrita confirmada se perde: 1 contra; 40 confirmadas, procuradas em 5 nós');
  });

  it('says nothing where it has no words', () => {
    expect(inPortuguese('something else')).toBeNull();
  });
});
