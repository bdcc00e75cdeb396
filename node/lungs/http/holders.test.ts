/** Two live processes with one identity find out, with a member between them or alone; restarts, replays and liars do not count. */
import { identityFromSeed, type SigningIdentity } from '../../protocol/state/signature.ts';
import { HOLDER_HEADER, Holders, TWINS_HEADER, type HolderHeaders, type Twin } from './holders.ts';

const [ada, ben] = [identityFromSeed(Buffer.alloc(32, 1)), identityFromSeed(Buffer.alloc(32, 2))];
const T = 1_767_225_600_000;

describe('two processes with one identity', () => {
  it('are both told by a member that hears both, and agree on the younger', () => {
    const [older, younger, member] = [holder(ada, 'a', T), holder(ada, 'b', T + 5_000), holder(ben, 'c', T)];
    for (let round = 0; round < 3; round += 1) {
      ask(older, member);
      ask(younger, member);
    }
    expect(older.twins).toEqual([
      { peer: ada.id, instance: younger.instance, sinceMs: T + 5_000, isOlder: false },
    ]);
    expect(younger.twins).toEqual([{ peer: ada.id, instance: older.instance, sinceMs: T, isOlder: true }]);
    expect(member.twins).toMatchObject([{ peer: ada.id }]);
  });

  it('need nobody else where one of them asks the other', () => {
    const [older, younger] = [holder(ada, 'a', T), holder(ada, 'b', T + 1)];
    ask(younger, older);
    ask(younger, older);
    expect(younger.twins).toMatchObject([{ isOlder: true }]);
    expect(older.twins).toMatchObject([{ isOlder: false }]);
    expect(younger.asked).toContain(ada.id);
  });

  it('agree where their clocks say the same', () => {
    const [one, other] = [holder(ada, 'a', T), holder(ada, 'b', T)];
    ask(other, one);
    ask(other, one);
    expect([one.twins, other.twins].map(([twin]) => twin?.isOlder)).toEqual([false, true]);
  });

  it('are told of as soon as both were heard: there is something to say to each', () => {
    const [older, younger, member] = [holder(ada, 'a', T), holder(ada, 'b', T + 5), holder(ben, 'c', T)];
    ask(older, member);
    expect(member.asked).toEqual([]);
    ask(younger, member);
    expect(member.asked).toEqual([ada.id]);
    expect(younger.asked).toEqual([ben.id]);
  });
});

describe('no second process', () => {
  it('is a node that was killed and started anew, however often, and whatever is replayed of its former lives', () => {
    const member = holder(ben, 'c', T);
    const heard: { readonly toMember: HolderHeaders; readonly toUs: HolderHeaders }[] = [];
    for (let life = 0; life < 5; life += 1) {
      const node = holder(ada, String(life), T + life);
      for (let round = 0; round < 3; round += 1) heard.push(ask(node, member));
      for (const { toMember, toUs } of heard) {
        give(member, ada, toMember);
        give(node, ben, toUs);
        give(node, ada, toMember);
      }
      ask(node, member);
      expect(node.twins).toEqual([]);
    }
    expect(member.twins).toEqual([]);
  });

  it('is what a member without our key says is one', () => {
    const node = holder(ada, 'a', T);
    const instance = 'ef'.repeat(16);
    const text = Buffer.from(`aethel/holder/v1\n${ada.id}\n${instance}\n${T}\n${node.instance}`);
    const signature = Buffer.from(ben.sign(text)).toString('hex');
    node.holders.hear(ben.id, '', `${instance} ${T} ${node.instance} ${signature}`);
    expect(node.twins).toEqual([]);
  });

  it('is kept from being heard by a member that invents others', () => {
    const [older, younger] = [holder(ada, 'a', T), holder(ada, 'b', T + 5)];
    for (let i = 0; i < 50; i += 1)
      younger.holders.hear(ben.id, '', `${i.toString(16).padStart(32, '0')} ${T}`);
    ask(younger, older);
    ask(younger, older);
    expect(older.twins).toHaveLength(1);
    expect(younger.holders.headersFor(null)[HOLDER_HEADER]?.length).toBeLessThan(1_000);
  });

  it.each(['', 'x', 'ab 1', `${'ab'.repeat(16)} -1`, `${'ab'.repeat(16)} 1 2 3`, 'ab,'.repeat(5_000)])(
    'is made of a header that tells nothing: %.20s',
    (header) => {
      const node = holder(ada, 'a', T);
      expect(node.holders.hear(ben.id, header, header)).toBe(false);
      expect(node.twins).toEqual([]);
      expect(Object.keys(node.holders.headersFor(ben.id))).toEqual([HOLDER_HEADER]);
    },
  );

  it('is told of after half a minute of silence', () => {
    const [older, younger, member] = [holder(ada, 'a', T), holder(ada, 'b', T + 5), holder(ben, 'c', T)];
    ask(older, member);
    member.now += 31_000;
    ask(younger, member);
    expect(member.holders.headersFor(ada.id)[TWINS_HEADER]).toBeUndefined();
  });
});

interface Process {
  readonly id: SigningIdentity['id'];
  readonly instance: string;
  readonly holders: Holders;
  readonly twins: Twin[];
  /** whom it wants to ask anew at once */
  readonly asked: string[];
  now: number;
}

function holder(identity: SigningIdentity, name: string, sinceMs: number): Process {
  const process: Process = {
    id: identity.id,
    instance: name.repeat(32),
    holders: new Holders({
      self: identity.id,
      instance: name.repeat(32),
      sinceMs,
      sign: (bytes) => identity.sign(bytes),
      clock: { monotonicMs: () => process.now },
    }),
    twins: [],
    asked: [],
    now: 0,
  };
  process.holders.listen(
    (peer) => process.asked.push(peer),
    (twin) => process.twins.push(twin),
  );
  return process;
}

/** One asks, the other answers. @returns what each heard */
function ask(asker: Process, answerer: Process) {
  const toMember = asker.holders.headersFor(answerer.id);
  give(answerer, asker, toMember);
  const toUs = answerer.holders.headersFor(asker.id);
  give(asker, answerer, toUs);
  return { toMember, toUs };
}

function give(to: Process, from: Pick<Process, 'id'>, headers: HolderHeaders): void {
  to.holders.hear(from.id, headers[HOLDER_HEADER] ?? '', headers[TWINS_HEADER] ?? '');
}
