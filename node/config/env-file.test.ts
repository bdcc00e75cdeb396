import dotenv from 'dotenv';
import fc from 'fast-check';
import { readEnvFile, type EnvFile } from './env-file.ts';

const TOKEN = 'AETHEL_API_TOKEN';
const DIR = 'AETHEL_STATE_DIR';
const known = new Set([TOKEN, DIR, 'AETHEL_CLUSTER_KEY', 'HTTP_PROXY', 'http_proxy']);

describe('a line that is a setting', () => {
  it.each([
    ['plainly', 'AETHEL_STATE_DIR=ab', 'ab'],
    ['with blanks around', '  AETHEL_STATE_DIR = a b \t', 'a b'],
    ['in single quotes', "AETHEL_STATE_DIR='a # $b'", 'a # $b'],
    ['in double quotes', 'AETHEL_STATE_DIR="a # b"', 'a # b'],
    ['with a comment behind', 'AETHEL_STATE_DIR=ab # mine', 'ab'],
    ['with a comment behind its quotes', 'AETHEL_STATE_DIR="ab"# mine', 'ab'],
    ['as a shell has it', 'export AETHEL_STATE_DIR=ab', 'ab'],
    ['with an = in it', 'AETHEL_STATE_DIR=a=b=', 'a=b='],
    ['with nothing', 'AETHEL_STATE_DIR=', ''],
    ['with quotes inside', 'AETHEL_STATE_DIR=a"b"c', 'a"b"c'],
  ])('is read %s', (_how, line, value) => {
    for (const text of [line, `${line}\n`, `\ufeff${line}\r\n`, `OTHER=x\r\n\r\n${line}\r\nOTHER=y\r\n`]) {
      const file = read(text);
      expect(file).toMatchObject({ variables: { [DIR]: value }, problems: [], warnings: [] });
    }
  });

  it('never swallows the next line', () => {
    const file = read("AETHEL_STATE_DIR=\n'x'\nAETHEL_API_TOKEN= \t\nHTTP_PROXY=\nAETHEL_CLUSTER_KEY=k\n");
    expect(file.variables).toEqual({ [DIR]: '', [TOKEN]: '', HTTP_PROXY: '', AETHEL_CLUSTER_KEY: 'k' });
    expect(file.warnings).toEqual([
      { line: 2, name: null, text: expect.stringContaining('is not a setting') },
    ]);
  });

  it('counts where it comes last, and the earlier one is told', () => {
    const file = read('AETHEL_STATE_DIR=a\n\nAETHEL_STATE_DIR=b\n');
    expect(file.variables).toEqual({ [DIR]: 'b' });
    expect(file.lines.get(DIR)).toBe(3);
    expect(file.warnings).toEqual([
      { line: 3, name: DIR, text: 'was set in line 1 already; this one counts' },
    ]);
  });
});

describe('a line that looks like a setting and is none', () => {
  it.each([
    'AETHEL_API_TOKEN: secret',
    'AETHEL_API_TOKEN:secret',
    'AETHEL_API_TOKEN secret',
    'AETHEL_API_TOKEN',
    'set AETHEL_API_TOKEN=secret',
    '$env:AETHEL_API_TOKEN="secret"',
    '- AETHEL_API_TOKEN=secret',
    '"AETHEL_API_TOKEN": "secret"',
    '; AETHEL_API_TOKEN=secret',
    'aethel_api_token=secret',
    'AETHEL-API-TOKEN=secret',
    'Aethel.Api.Token = secret',
    '\u200bAETHEL_API_TOKEN=secret',
  ])('is a problem: %s', (line) => {
    const file = read(`# one\r\nOTHER=1\r\n${line}\r\n`);
    expect(file.variables).toEqual({});
    expect(file.problems).toEqual([{ line: 3, name: TOKEN, text: expect.any(String) }]);
    expect(told(file)).not.toContain('secret');
  });

  it('is a warning where it has nothing to do with the node', () => {
    const file = read('hello world\nFOO\n');
    expect(file.problems).toEqual([]);
    expect(file.warnings.map(({ line }) => line)).toEqual([1, 2]);
  });
});

describe('what docker compose reads otherwise', () => {
  const values = [
    ['a # without a blank', 'abc#def'],
    ['a # at the beginning', '#abc'],
    ['a # behind a tab', 'abc\t#def'],
    ['a $', 'abc$def'],
    ['a $ in double quotes', '"abc${X}def"'],
    ['a backslash in double quotes', '"abc\\tdef"'],
    ['a backslash in single quotes', "'abc\\'def'"],
    ['backticks', '`abc`'],
  ] as const;

  it.each(values)('is a problem in a secret: %s', (_what, value) => {
    const file = read(`\nAETHEL_API_TOKEN=${value}\n`);
    expect(file.problems).toEqual([
      { line: 2, name: TOKEN, text: expect.stringContaining('docker compose') },
    ]);
    expect(told(file)).not.toContain('abc');
  });

  it.each(values)('is a warning elsewhere: %s', (_what, value) => {
    const file = read(`\nAETHEL_STATE_DIR=${value}\n`);
    expect(file.problems).toEqual([]);
    expect(file.warnings).toEqual([{ line: 2, name: DIR, text: expect.stringContaining('docker compose') }]);
  });

  it('is told of a line that only a carriage return ends', () => {
    const file = read('A=1\nAETHEL_STATE_DIR=a\rAETHEL_API_TOKEN=b\n');
    expect(file.variables).toEqual({ [DIR]: 'a', [TOKEN]: 'b' });
    expect(file.warnings.map(({ line }) => line)).toEqual([2]);
  });

  it('is not a comment behind a secret, which is only told', () => {
    const file = read('AETHEL_API_TOKEN=abc # $x\n');
    expect(file).toMatchObject({ variables: { [TOKEN]: 'abc' }, problems: [] });
    expect(file.warnings.map(({ name }) => name)).toEqual([TOKEN]);
  });
});

it.each(['\u00a0', '\u2003', '\u200b', '\ufeff', '\u0000', '\u2028', '\u202e'])(
  'what nobody sees in a value is a problem: %j',
  (character) => {
    for (const value of [`ab${character}`, `${character}ab`, `'a${character}b'`])
      expect(read(`AETHEL_API_TOKEN=${value}`).problems).toMatchObject([{ line: 1, name: TOKEN }]);
  },
);

describe('quotes', () => {
  it.each([
    'AETHEL_STATE_DIR="a',
    "AETHEL_STATE_DIR='a",
    'AETHEL_STATE_DIR="a"b',
    "AETHEL_STATE_DIR='a' 'b'",
  ])('that do not fit are a problem: %s', (line) => {
    const file = read(`${line}\nAETHEL_API_TOKEN=x"\n`);
    expect(file.problems.map(({ line: at, name }) => [at, name])).toEqual([[1, DIR]]);
    expect(file.variables[TOKEN]).toBe('x"');
  });

  it('of other variables may hold lines, but none of ours', () => {
    const pem = 'PEM="-----BEGIN\nabc def\n-----END"\nAETHEL_STATE_DIR=a\n';
    expect(read(pem)).toMatchObject({ variables: { [DIR]: 'a' }, problems: [], warnings: [] });
    const json = 'JSON=\'{\n  "host": "aethel.example.com"\n}\'\nAETHEL_STATE_DIR=a\naethel.colour=blue\n';
    expect(read(json)).toMatchObject({ variables: { [DIR]: 'a' }, problems: [], warnings: [] });
    const file = read('PEM="\nAETHEL_API_TOKEN=a\nX="\nAETHEL_STATE_DIR=b');
    expect(file.problems.map(({ line }) => line)).toEqual([2]);
    expect(read('PEM="x\nAETHEL_STATE_DIR=a\n')).toMatchObject({
      variables: { [DIR]: 'a' },
      problems: [],
      warnings: [{ line: 1 }],
    });
  });
});

describe('a file that is no UTF-8', () => {
  const text = 'AETHEL_STATE_DIR=a\nAETHEL_API_TOKEN=secret\n';
  const utf16 = Buffer.from(text, 'utf16le');

  it.each([
    ['UTF-16', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]), 'UTF-16'],
    ['UTF-16, the other way round', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]).swap16(), 'UTF-16'],
    ['UTF-16 without a mark', utf16, 'UTF-16'],
    ['as large as no such file is', Buffer.alloc(65_537, '#'), '65536'],
  ])('is refused: %s', (_what, bytes, word) => {
    const file = readEnvFile(bytes, { known, isSecret });
    expect(file).toMatchObject({ variables: {}, problems: [{ line: 1, name: null }] });
    expect(told(file)).toContain(word);
  });

  it('is refused by the line that is none', () => {
    const bytes = Buffer.concat([Buffer.from('A=1\nB=2\nAETHEL_API_TOKEN='), Buffer.from([0xe9, 0x0a])]);
    expect(readEnvFile(bytes, { known, isSecret }).problems).toEqual([
      { line: 3, name: null, text: 'is not UTF-8' },
    ]);
  });
});

/** Whatever dotenv would read otherwise, over lines, is a problem here. */
it('agrees with dotenv about every file in which it finds no fault', () => {
  const name = fc.constantFrom(TOKEN, DIR, 'OTHER', 'http_proxy', 'export AETHEL_STATE_DIR', 'aethel_x');
  const value = fc.array(
    fc.constantFrom('a', '=', "'", '"', '`', '#', ' ', '$', '\\', '\\n', '\t', '\r', 'é', '\u2028'),
    {
      maxLength: 8,
    },
  );
  const line = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(
        name,
        fc.constantFrom('=', ' = ', ': ', ' '),
        value.map((v) => v.join('')),
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom(['', '', ''], ['# x', '', ''], ['"', '', '']) },
  );
  let agreed = 0;
  fc.assert(
    fc.property(
      fc.array(
        line.map((parts) => parts.join('')),
        { maxLength: 6 },
      ),
      fc.constantFrom('\n', '\r\n'),
      (lines, end) => {
        const text = lines.join(end);
        const { variables, problems, warnings } = read(text);
        if (problems.length > 0 || warnings.length > 0) return;
        agreed += 1;
        const all = dotenv.parse(text);
        expect(variables).toEqual(
          Object.fromEntries(Object.entries(all).filter(([name]) => known.has(name))),
        );
      },
    ),
    { numRuns: 5_000 },
  );
  expect(agreed).toBeGreaterThan(500);
});

it('never throws, and never repeats a value', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary' }), (bytes, around) => {
      readEnvFile(bytes, { known, isSecret });
      const file = read(`${around}\nAETHEL_API_TOKEN${around}hunter2hunter2${around}\n${around}`);
      expect(told(file)).not.toContain('hunter2hunter2');
    }),
    { numRuns: 2_000 },
  );
});

function read(text: string): EnvFile {
  return readEnvFile(Buffer.from(text), { known, isSecret });
}

function isSecret(name: string): boolean {
  return name === TOKEN;
}

function told({ problems, warnings }: EnvFile): string {
  return [...problems, ...warnings].map(({ name, text }) => `${name}: ${text}`).join('\n');
}
