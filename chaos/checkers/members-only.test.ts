import { membersOnly } from './members-only.ts';
import { judge } from './testing/judge.ts';
import { NODES } from './testing/story.ts';

const tries = (status: number) =>
  NODES.map((node) => ({ type: 'intrusion', at: 5, node, what: 'a forged question', status }) as const);

describe('members only', () => {
  it('holds where every node turned him away', () => {
    expect(judge(membersOnly, tries(401)).verdict).toBe('pass');
  });

  it('is broken by one answer, and says whose', () => {
    const { verdict, violations } = judge(membersOnly, [
      ...tries(401),
      { type: 'intrusion', at: 9, node: 'b', what: 'a forged question', status: 200 },
    ]);
    expect(verdict).toBe('fail');
    expect(violations).toEqual([{ text: 'b answered 200 to a forged question', at: 9, node: 'b' }]);
  });

  it('takes no other failure for a refusal: he came as far as that', () => {
    expect(judge(membersOnly, tries(422)).verdict).toBe('fail');
  });

  it('is unknown where a node was not tried', () => {
    expect(judge(membersOnly, tries(401).slice(1)).verdict).toBe('unknown');
  });
});
