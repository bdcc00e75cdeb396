import { parseTable, renderRemoval, renderRenewal, renderTable } from './nft.ts';
import type { Block } from './nft.ts';

const TABLE = 'aethel_lab_1';
const PAIRS = [
  { peer: '172.18.0.3', port: 9000 },
  { peer: '172.18.0.4', port: 9000 },
];

const DELAY: Block = {
  kind: 'delay',
  pairs: [{ peer: '172.18.0.3', port: 9000, listen: 12_345, ms: 100, jitterMs: 20 }],
};

describe('the table of a fault', () => {
  it('leads only what the node itself dials to the proxy, and resets what was dialled before', () => {
    const table = renderTable(TABLE, DELAY, 60);
    expect(table).toContain(
      'meta l4proto @lease meta skuid 1000 ip daddr 172.18.0.3 tcp dport 9000 counter redirect to :12345',
    );
    expect(table).toContain('meta skuid 1000 ip daddr . tcp dport @struck counter reject with tcp reset');
    const rules = table.split('\n').filter((line) => /redirect|reject/.test(line));
    expect(rules).toHaveLength(2);
    for (const rule of rules) expect(rule).toMatch(/^ +meta l4proto @lease /);
  });

  it('drops by source port and by destination port, on INPUT, while the lease holds', () => {
    const table = renderTable(TABLE, { kind: 'pairs', how: 'drop', pairs: PAIRS }, 60);
    expect(table).toContain('elements = { 172.18.0.3 . 9000, 172.18.0.4 . 9000 }');
    expect(table).toContain('hook input');
    expect(table).toContain('meta l4proto @lease ip saddr . tcp dport @struck drop');
    expect(table).toContain('meta l4proto @lease ip saddr . tcp sport @struck drop');
    expect(table).not.toContain('output');
  });

  it('tells both ends where it resets, because it lets the other end’s reset in', () => {
    const table = renderTable(TABLE, { kind: 'pairs', how: 'reset', pairs: PAIRS }, 60);
    expect(table).toContain('tcp flags & rst == 0 ip saddr . tcp dport @struck reject with tcp reset');
  });

  it.each([
    ['pairs', { kind: 'pairs', how: 'drop', pairs: PAIRS }],
    ['loss', { kind: 'loss', pairs: PAIRS, percent: 20 }],
    ['rate', { kind: 'rate', pairs: PAIRS, kBps: 50 }],
    ['names', { kind: 'dns' }],
  ] as const)('has no rule for %s without a lease that the kernel ends', (_, block) => {
    const lines = renderTable(TABLE, block, 60).split('\n');
    expect(lines).toContainEqual(expect.stringContaining('tcp timeout 60s, udp timeout 60s'));
    const input = lines.slice(lines.findIndex((line) => line.includes('hook input')) + 1);
    for (const rule of input.slice(
      0,
      input.findIndex((line) => line.includes('}')),
    ))
      expect(rule).toMatch(/^ +meta l4proto @lease /);
  });

  it('replaces its own table as a whole and touches no other', () => {
    const table = renderTable(TABLE, { kind: 'dns' }, 60);
    expect(table.startsWith('add table inet aethel_lab_1\ndelete table inet aethel_lab_1\n')).toBe(true);
    expect(`${table}${renderRemoval(TABLE)}`).not.toContain('flush');
  });

  it('renews only a lease that is still there', () => {
    expect(renderRenewal(TABLE, 60).split('\n')[0]).toBe(
      'delete element inet aethel_lab_1 lease { tcp, udp }',
    );
  });

  const pairs = (peer: string, port: number): Block => ({
    kind: 'pairs',
    how: 'drop',
    pairs: [{ peer, port }],
  });
  it.each<readonly [string, string, Block, number]>([
    ['an address that is none', TABLE, pairs('172.18.0', 9000), 60],
    ['an address with something behind it', TABLE, pairs('172.18.0.3; flush ruleset', 9000), 60],
    ['a port that is none', TABLE, pairs('172.18.0.3', 0), 60],
    ['no lease', TABLE, { kind: 'dns' }, 0],
    ['a rate of nothing', TABLE, { kind: 'rate', pairs: PAIRS, kBps: 0 }, 60],
    ['nothing to stop', TABLE, { kind: 'pairs', how: 'drop', pairs: [] }, 60],
    ['a loss of everything', TABLE, { kind: 'loss', pairs: PAIRS, percent: 100 }, 60],
    ['a table of somebody else', 'filter', { kind: 'dns' }, 60],
  ])('refuses %s', (_, table, block, seconds) => {
    expect(() => renderTable(table, block, seconds)).toThrow(RangeError);
  });

  it('reads back what nft lists: the lease, the packets of each pair, the counters of each chain', () => {
    expect(parseTable(LISTED)).toEqual({
      leaseSeconds: 44,
      pairs: [{ peer: '172.17.0.3', port: 9000, packets: 7, bytes: 420 }],
      chains: new Map([
        ['input', [null]],
        [
          'lossy',
          [
            { packets: 10, bytes: 600 },
            { packets: 2, bytes: 120 },
          ],
        ],
      ]),
    });
  });

  it('reads elements that count nothing as well', () => {
    const set = { name: 'struck', elem: [{ concat: ['172.17.0.3', 9000] }] };
    expect(parseTable(JSON.stringify({ nftables: [{ set }] })).pairs).toEqual([
      { peer: '172.17.0.3', port: 9000, packets: 0, bytes: 0 },
    ]);
  });

  it('refuses a listing that is none', () => {
    expect(() => parseTable('{"other": 1}')).toThrow(SyntaxError);
  });
});

/** As nft 1.0.6 prints it. */
const LISTED = JSON.stringify({
  nftables: [
    { metainfo: { version: '1.0.6', json_schema_version: 1 } },
    { table: { family: 'inet', name: TABLE, handle: 2 } },
    {
      set: {
        name: 'lease',
        table: TABLE,
        type: 'inet_proto',
        flags: ['timeout'],
        elem: [
          { elem: { val: 6, timeout: 45, expires: 45 } },
          { elem: { val: 17, timeout: 45, expires: 44 } },
        ],
      },
    },
    {
      set: {
        name: 'struck',
        table: TABLE,
        type: ['ipv4_addr', 'inet_service'],
        elem: [{ elem: { val: { concat: ['172.17.0.3', 9000] }, counter: { packets: 7, bytes: 420 } } }],
        stmt: [{ counter: null }],
      },
    },
    { set: { name: 'ports', table: TABLE, type: 'inet_service', elem: [8000] } },
    { chain: { family: 'inet', table: TABLE, name: 'input' } },
    { rule: { table: TABLE, chain: 'input', expr: [{ match: {} }, { goto: { target: 'lossy' } }] } },
    { rule: { table: TABLE, chain: 'lossy', expr: [{ counter: { packets: 10, bytes: 600 } }] } },
    {
      rule: {
        table: TABLE,
        chain: 'lossy',
        expr: [{ match: {} }, { counter: { packets: 2, bytes: 120 } }, { drop: null }],
      },
    },
  ],
});
