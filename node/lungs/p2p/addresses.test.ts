import { identityFrom } from '../../../test/contract/lung-kit.ts';
import { AddressBook, parseAddress } from './addresses.ts';

const OWN = identityFrom(1).id;
const PEER = identityFrom(2).id;
const OTHER = identityFrom(3).id;
const A = '/ip4/10.0.0.1/tcp/9000';
const B = '/ip4/10.0.0.2/tcp/9000';
const nobody = (): boolean => false;

function book(options: { readonly addressesMax?: number } = {}): AddressBook {
  return new AddressBook(OWN, () => 1, {
    dialTimeoutsMs: [500, 1000, 500, 2000],
    redialMinMs: 250,
    redialMaxMs: 1000,
    addressForgetMs: 60_000,
    addressesMax: 8,
    ...options,
  });
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

  it('waits longer now and then for a place that does not answer, and no longer than at first once it has', () => {
    const addresses = book();
    addresses.add(A, 'fixed', 0);
    let now = 0;
    const patience = (isTimeout: boolean): number | undefined => {
      const [due] = addresses.takeDue((now += 1000), 8, nobody);
      addresses.failed(A, now, isTimeout);
      return due?.patienceMs;
    };
    expect([1, 2, 3, 4, 5, 6].map(() => patience(true))).toEqual([500, 1000, 500, 2000, 500, 1000]);
    addresses.proven(A, PEER, now);
    expect([patience(false), patience(false), patience(true), patience(true)]).toEqual([500, 500, 500, 1000]);
  });

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
    addresses.proven(A, PEER, 1);
    expect(addresses.list()).toEqual([{ text: A, origin: 'found', peer: PEER }]);
    addresses.proven(A, OTHER, 2);
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
