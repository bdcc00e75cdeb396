import { parseTable, renderRemoval, renderTable } from './nft.ts';

describe('the table of drops', () => {
  it('drops by source port and by destination port, on INPUT, with a time-to-live per pair', () => {
    const table = renderTable(
      [
        { peer: '172.18.0.3', port: 9000 },
        { peer: '172.18.0.4', port: 9000 },
      ],
      60,
    );
    expect(table).toContain('elements = { 172.18.0.3 . 9000 timeout 60s, 172.18.0.4 . 9000 timeout 60s }');
    expect(table).toContain('hook input');
    expect(table).toContain('ip saddr . tcp dport @dropped drop');
    expect(table).toContain('ip saddr . tcp sport @dropped drop');
    expect(table).not.toContain('output');
  });

  it('replaces its own table as a whole and touches no other', () => {
    const table = renderTable([{ peer: '172.18.0.3', port: 9000 }], 60);
    expect(table.startsWith('add table inet aethel_lab\ndelete table inet aethel_lab\n')).toBe(true);
    expect(`${table}${renderRemoval()}`).not.toContain('flush');
  });

  it.each([
    ['an address that is none', [{ peer: '172.18.0', port: 9000 }], 60],
    ['an address with something behind it', [{ peer: '172.18.0.3; flush ruleset', port: 9000 }], 60],
    ['a port that is none', [{ peer: '172.18.0.3', port: 0 }], 60],
    ['no time-to-live', [{ peer: '172.18.0.3', port: 9000 }], 0],
    ['nothing to drop', [], 60],
  ])('refuses %s', (_, drops, ttl) => {
    expect(() => renderTable(drops, ttl)).toThrow(RangeError);
  });

  it('reads back what nft lists, with the packets of each pair', () => {
    expect(parseTable(LISTED)).toEqual({
      drops: [{ peer: '172.17.0.3', port: 9000, packets: 7, bytes: 420, expiresSeconds: 51 }],
      rules: 2,
    });
  });

  it('refuses a listing that is none', () => {
    expect(() => parseTable('{"other": 1}')).toThrow(SyntaxError);
  });
});

/** As nft 1.0.6 prints it. */
const LISTED = JSON.stringify({
  nftables: [
    { metainfo: { version: '1.0.6', json_schema_version: 1 } },
    { table: { family: 'inet', name: 'aethel_lab', handle: 2 } },
    {
      set: {
        family: 'inet',
        name: 'dropped',
        table: 'aethel_lab',
        type: ['ipv4_addr', 'inet_service'],
        flags: ['timeout'],
        elem: [
          {
            elem: {
              val: { concat: ['172.17.0.3', 9000] },
              timeout: 60,
              expires: 51,
              counter: { packets: 7, bytes: 420 },
            },
          },
        ],
      },
    },
    { chain: { family: 'inet', table: 'aethel_lab', name: 'input' } },
    { rule: { family: 'inet', table: 'aethel_lab', chain: 'input', expr: [{ drop: null }] } },
    { rule: { family: 'inet', table: 'aethel_lab', chain: 'input', expr: [{ drop: null }] } },
  ],
});
