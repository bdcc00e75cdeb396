import { identityFrom } from '../../../test/contract/lung-kit.ts';
import { CALM } from '../pace.ts';
import { AddressBook, parseAddress } from './addresses.ts';
import type { AddressOptions } from './addresses.ts';

const OWN = identityFrom(1).id;
const PEER = identityFrom(2).id;
const OTHER = identityFrom(3).id;
const A = '/ip4/10.0.0.1/tcp/9000';
const B = '/ip4/10.0.0.2/tcp/9000';
const nobody = (): boolean => false;

const OPTIONS: AddressOptions = {
  dialTimeoutsMs: [500, 1000, 500, 2000],
  redialMinMs: 250,
  redialMaxMs: 1000,
  addressForgetMs: 60_000,
  addressesMax: 8,
};

function book(options: Partial<AddressOptions> = {}): AddressBook {
  return new AddressBook(OWN, () => 1, { ...OPTIONS, ...options });
}

describe('an address', () => {
  it.each([
    ['/ip4/10.0.0.1/tcp/9000', '/ip4/10.0.0.1/tcp/9000', null],
    ['/dns4/node/tcp/9000', '/dns4/node/tcp/9000', null],
    [`/ip6/::1/tcp/1/p2p/${PEER}`, '/ip6/::1/tcp/1', PEER],
  ])('%s is dialable', (text, place, peer) => {
    expect(parseAddress(text)).toEqual({ place, peer });
  });

  it.each([
    '',
    'x',
    '/ip4/10.0.0.1',
    '/ip4/10.0.0.1/tcp/0',
    '/ip4/10.0.0.1/tcp/70000',
    '/ip4/10.0.0.1/udp/1',
    `${A}/p2p/Qm`,
    `${A}/p2p/${'1'.repeat(52)}`,
    `${A}/ws`,
  ])('%j is not', (text) => {
    expect(parseAddress(text)).toBeNull();
  });
});

describe('the address book', () => {
  it('gives up a told address after three dials, keeps one where a member was met, and evicts nothing for it', () => {
    const addresses = book({ addressesMax: 3 });
    addresses.add(A, 'told', 0);
    addresses.add(B, 'told', 0, PEER);
    addresses.proven(B, PEER, 0, 5);
    let dials = 0;
    for (let now = 0; now < 10_000; now += 10) {
      for (const { text } of addresses.takeDue(now, 8, nobody)) {
        if (text === A) dials += 1;
        addresses.failed(text, now, true);
      }
    }
    expect(dials).toBe(3);
    expect(addresses.list()).toEqual([{ text: B, origin: 'found', peer: PEER }]);
    for (const n of [3, 4]) addresses.add(`/ip4/10.0.0.${n}/tcp/9000`, 'found', 20_000);
    expect(addresses.add(A, 'told', 20_000)).toBe('full');
    expect(addresses.list()).toHaveLength(3);
  });

  it('dials at once, then ever more slowly up to the limit', () => {
    const addresses = book();
    addresses.add(A, 'fixed', 0);
    const dials: number[] = [];
    for (let now = 0; now < 4000; now += 10) {
      for (const { text } of addresses.takeDue(now, 8, nobody)) {
        dials.push(now);
        addresses.failed(text, now, false);
      }
    }
    const gaps = dials.slice(1).map((at, i) => at - (dials[i] ?? 0));
    expect(gaps).toEqual([250, 380, 570, 850, 1000]);
  });

  it('waits longer now and then for a place that never answered', () => {
    const { patience } = dialled();
    expect([1, 2, 3, 4, 5, 6].map(() => patience())).toEqual([500, 1000, 500, 2000, 500, 1000]);
  });

  it.each([
    [20, 500],
    [330, 500],
    [340, 1000],
    [900, 2000],
    [9_000, 2000],
  ])(
    'waits for a place that answered in %d ms for %d ms, for ten minutes of silence',
    (answeredMs, enough) => {
      const { addresses, patience } = dialled();
      patience();
      addresses.proven(A, PEER, 0, answeredMs);
      const patiences = Array.from({ length: 600 }, patience);
      expect(new Set(patiences)).toEqual(new Set([enough]));
      expect([1, 2, 3, 4].map(() => patience())).toEqual([500, 1000, 500, 2000]);
      addresses.proven(A, PEER, 0, null);
      expect(patience()).toBe(enough);
    },
  );

  function dialled() {
    const addresses = book();
    addresses.add(A, 'fixed', 0);
    let now = 0;
    const patience = (): number | undefined => {
      const [due] = addresses.takeDue((now += 1000), 8, nobody);
      addresses.failed(A, now, true);
      return due?.patienceMs;
    };
    return { addresses, patience };
  }

  it('does not dial who is connected, and dials at once who was lost', () => {
    const addresses = book();
    addresses.add(A, 'fixed', 0, PEER);
    expect(addresses.takeDue(0, 8, (peer) => peer === PEER)).toEqual([]);
    expect(addresses.nextDueAt((peer) => peer === PEER)).toBeNull();
    expect(addresses.takeDue(1, 8, nobody)).toEqual([expect.objectContaining({ text: A })]);
  });

  it('never dials two places of one peer at once', () => {
    const addresses = book();
    addresses.add(A, 'found', 0, PEER);
    addresses.add(B, 'found', 0, PEER);
    expect(addresses.takeDue(0, 8, nobody).length).toBe(1);
    expect(addresses.takeDue(0, 8, nobody).length).toBe(0);
    addresses.failed(A, 10, false);
    expect(addresses.takeDue(10, 8, nobody)).toEqual([expect.objectContaining({ text: B })]);
  });

  it('dials no more at once than it may', () => {
    const addresses = book();
    addresses.add(A, 'found', 0);
    addresses.add(B, 'found', 0);
    expect(addresses.takeDue(0, 1, nobody).length).toBe(1);
  });

  it('knows who answered, also when that changes', () => {
    const addresses = book();
    addresses.add(A, 'found', 0);
    addresses.proven(A, PEER, 1, 5);
    expect(addresses.list()).toEqual([{ text: A, origin: 'found', peer: PEER }]);
    addresses.proven(A, OTHER, 2, 5);
    expect(addresses.list()).toEqual([{ text: A, origin: 'found', peer: OTHER }]);
  });

  it('never takes its own address again', () => {
    const addresses = book();
    addresses.add(A, 'fixed', 0);
    addresses.ownedByUs(A);
    expect(addresses.add(A, 'found', 1)).toBe('own');
    expect(addresses.add(`${B}/p2p/${OWN}`, 'found', 1)).toBe('own');
    expect(addresses.list()).toEqual([]);
  });

  it('forgets a found address that leads nowhere, unless it is added again, and never a fixed one', () => {
    const addresses = book();
    addresses.add(A, 'fixed', 0);
    addresses.add(B, 'found', 0);
    addresses.add(B, 'found', 30_000);
    addresses.forget(70_000, nobody);
    expect(addresses.list().length).toBe(2);
    addresses.forget(90_001, nobody);
    expect(addresses.list()).toEqual([expect.objectContaining({ text: A })]);
  });

  it('keeps the address of a connected peer', () => {
    const addresses = book();
    addresses.add(B, 'found', 0, PEER);
    addresses.forget(90_000, (peer) => peer === PEER);
    expect(addresses.list().length).toBe(1);
  });

  it('is bounded: the stalest found address makes room, fixed ones do not', () => {
    const addresses = book({ addressesMax: 2 });
    addresses.add(A, 'found', 0);
    addresses.add(B, 'fixed', 1);
    expect(addresses.add('/ip4/10.0.0.3/tcp/1', 'fixed', 2)).toBe('new');
    expect(addresses.add('/ip4/10.0.0.4/tcp/1', 'found', 3)).toBe('full');
    expect(addresses.list().map(({ text }) => text)).toEqual([B, '/ip4/10.0.0.3/tcp/1']);
  });

  it('hurries after a heal', () => {
    const addresses = book();
    addresses.add(A, 'fixed', 0);
    for (let i = 0; i < 6; i += 1) {
      addresses.takeDue(i * 1000, 8, nobody);
      addresses.failed(A, i * 1000, true);
    }
    addresses.hurry(null, 5001);
    expect(addresses.nextDueAt(nobody)).toBe(5126);
  });
});

describe('the address book of a strained node', () => {
  const strain = { ...CALM, lagMs: 480 };

  it('dials an address ever more slowly, up to eight times the usual pause', () => {
    const addresses = book();
    addresses.add(A, 'fixed', 0);
    const dials: number[] = [];
    for (let now = 0; now < 40_000; now += 10) {
      for (const { text } of addresses.takeDue(now, 8, nobody, strain)) {
        dials.push(now);
        addresses.failed(text, now, false);
      }
    }
    const gaps = dials.slice(1).map((at, i) => at - (dials[i] ?? 0));
    expect(gaps).toEqual([2000, 3000, 4500, 6750, 8000, 8000]);
  });

  it('leaves one half of all pairs to the other side for a while, and dials then, or at once when calm', () => {
    const addresses = pairedBook();
    addresses.add(A, 'fixed', 0);
    addresses.add(B, 'fixed', 0);
    expect(addresses.takeDue(0, 8, nobody, strain).map(({ text }) => text)).toEqual([A]);
    expect(addresses.nextDueAt(nobody, strain)).toBe(7680);
    expect(addresses.takeDue(7679, 8, nobody, strain)).toEqual([]);
    expect(addresses.takeDue(100, 8, nobody).map(({ text }) => text)).toEqual([B]);
  });

  it('leaves who was lost to the other side again', () => {
    const addresses = pairedBook();
    addresses.add(B, 'fixed', 0, PEER);
    addresses.hurry(PEER, 60_000, strain);
    expect(addresses.takeDue(62_000, 8, nobody, strain)).toEqual([]);
    expect(addresses.takeDue(67_680, 8, nobody, strain).length).toBe(1);
  });

  it('does not hurry for the sake of others that have come', () => {
    const addresses = book();
    addresses.add(A, 'fixed', 0);
    for (let i = 0; i < 6; i += 1) {
      addresses.takeDue(i * 10_000, 8, nobody, strain);
      addresses.failed(A, i * 10_000, true);
    }
    addresses.hurry(null, 50_001, strain);
    expect(addresses.nextDueAt(nobody, strain)).toBe(51_001);
  });

  it('takes addresses that are due at once in an order of its own', () => {
    const orders = [0.9, 0.1].map((first) => {
      const dice = [first, 0.5];
      const addresses = new AddressBook(OWN, () => dice.shift() ?? 0.5, OPTIONS);
      addresses.add(A, 'fixed', 0);
      addresses.add(B, 'fixed', 0);
      return addresses.takeDue(0, 8, nobody).map(({ text }) => text);
    });
    expect(orders).toEqual([
      [B, A],
      [A, B],
    ]);
  });

  function pairedBook(): AddressBook {
    return new AddressBook(
      OWN,
      () => 1,
      OPTIONS,
      (place) => place === B,
    );
  }
});
