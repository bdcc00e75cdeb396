import fc from 'fast-check';
import { parseJsonExactly } from './json.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('two members of one name in one object', () => {
  it.each([
    ['{"a":1,"a":2}', '/a'],
    ['{"a":1,"a":1}', '/a'],
    ['{"a":1,"\\u0061":2}', '/a'],
    ['{"":1,"":2}', '/'],
    ['{"entries":[{"key":"x","value":1,"key":"y"}]}', '/entries/0/key'],
    ['[1,[{"x":{"y":1},"x":{"y":1,"z":[{}]}}]]', '/1/0/x'],
    ['{"a/b":{"~":1,"~":2}}', '/a~1b/~0'],
    ['{"__proto__":1,"__proto__":2}', '/__proto__'],
    ['{"a":{"b":1},"b":{"a":[],"c":"a","a":0}}', '/b/a'],
    ['{"\\ud800":1,"\\ud800":2}', '/\\ud800'],
    ['{"a\\"":":,{","a\\"":"}"}', '/a\\"'],
  ])('are refused in %s, and told by their place', (text, place) => {
    expect(() => parseJsonExactly(bytes(text))).toThrow(`at "${place}"`);
  });

  it.each([
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
    '{"__proto__":{"__proto__":1},"constructor":1,"toString":2}',
    '{"a":":","b":"\\"a\\":1"}',
    '{"1":1,"01":2,"1.0":3}',
    '{"é":1,"e\u0301":2}',
  ])('are not seen in %s', (text) => {
    expect(parseJsonExactly(bytes(text)).value).toEqual(JSON.parse(text));
  });
});

describe('numbers', () => {
  it.each([
    ['-0', '-0'],
    ['[-0.0,-0e5,0,-1,{"a":-0}]', '[-0,-0,0,-1,{"a":-0}]'],
    ['{"__proto__":-0,"b":"-0"}', '{"__proto__":-0,"b":"-0"}'],
    ['[1e2,1.0,0.1,5e-324,1.7976931348623157e308]', '[100,1,0.1,5e-324,1.7976931348623157e+308]'],
  ])('that a double holds are kept: %s', (text, kept) => {
    const { value, textOf } = parseJsonExactly(bytes(text));
    expect(textOf(value)).toBe(kept);
  });

  it.each([
    ['1e400', 'the body itself'],
    ['{"a":[1,12345678901234567890]}', '"/a/1"'],
    ['{"a":{"b":0.1000000000000000055511151231257827}}', '"/a/b"'],
    ['{"entries":[{"key":"k","value":-1e-400}]}', '"/entries/0/value"'],
    ['[[],{"x,y":[{}],"z":9007199254740993}]', '"/1/z"'],
  ])('that none holds are refused, with their place: %s', (text, place) => {
    expect(() => parseJsonExactly(bytes(text))).toThrow(`at ${place} would lose digits`);
  });
});

it('keeps lone surrogates that are written as escapes, and refuses them as bytes', () => {
  const { value, textOf } = parseJsonExactly(bytes('{"\\ud800":"\\udfff"}'));
  expect(textOf(value)).toBe('{"\\ud800":"\\udfff"}');
  expect(() => parseJsonExactly(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))).toThrow('not UTF-8');
});

/** JSON as it was meant, with names that may come twice, and how it is spelt. */
type Tree =
  | { readonly kind: 'leaf'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly Tree[]; readonly blank: string }
  | { readonly kind: 'object'; readonly members: readonly (readonly [Name, Tree])[]; readonly blank: string };
interface Name {
  readonly name: string;
  readonly isEscaped: boolean;
}

const blank = fc.constantFrom('', '', ' ', '\n\t');
const name = fc.record({
  name: fc.constantFrom('a', 'b', '', '__proto__', '1', '"', '\\', '/', '~', ':', ',', '{', '🔑', 'a:b'),
  isEscaped: fc.boolean(),
});
const leaf = fc
  .oneof(
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
    fc.constantFrom('null', 'true', 'false', '""', '"a\\":{"', '0', '-0', '-0.0', '1.50', '1E2', '-12e-3'),
    fc.integer().map(String),
  )
  .map((text): Tree => ({ kind: 'leaf', text }));
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    leaf,
    fc.record({ kind: fc.constant('list' as const), items: fc.array(tie('tree'), { maxLength: 3 }), blank }),
    fc.record({
      kind: fc.constant('object' as const),
      members: fc.array(fc.tuple(name, tie('tree')), { maxLength: 4 }),
      blank,
    }),
  ),
}));

it('accepts exactly what JSON.parse does, but for names that come twice', () => {
  fc.assert(
    fc.property(tree, (one) => {
      const text = spelt(one);
      if (isDoubled(one)) expect(() => parseJsonExactly(bytes(text))).toThrow('two members of one name');
      else {
        const { value, textOf } = parseJsonExactly(bytes(text));
        expect(value).toEqual(meant(one));
        // What is kept means the same again, signs included.
        expect(parseJsonExactly(bytes(textOf(value))).value).toEqual(meant(one));
      }
    }),
    { numRuns: 2000 },
  );
});

it('keeps names that JSON.parse of this V8 takes for others (nodejs/node#63785)', () => {
  JSON.parse('{"a":{},"\\\\":1}');
  for (const text of ['{"a":{},"\\n":0}', '{"a":{},"\\"":0}', '{"a":{},"\\u0001":0}', '[{"a":1,"\\t":2}]']) {
    const { value, textOf } = parseJsonExactly(bytes(text));
    expect(textOf(value)).toBe(text);
  }
});

it('refuses whatever JSON.parse refuses', () => {
  const broken = fc.tuple(
    tree.map(spelt),
    fc.nat(),
    fc.constantFrom('', ',', '"', '}', '0', '\\', ' ', ':', 'é'),
  );
  fc.assert(
    fc.property(broken, ([text, at, put]) => {
      const place = at % (text.length + 1);
      const changed = text.slice(0, place) + put + text.slice(place + 1);
      let isJson = true;
      try {
        JSON.parse(changed);
      } catch {
        isJson = false;
      }
      if (!isJson) expect(() => parseJsonExactly(bytes(changed))).toThrow(/not JSON|not UTF-8/);
    }),
    { numRuns: 2000 },
  );
});

function spelt(one: Tree): string {
  switch (one.kind) {
    case 'leaf':
      return one.text;
    case 'list':
      return `[${one.blank}${one.items.map(spelt).join(`${one.blank},`)}]`;
    case 'object': {
      const members = one.members.map(([{ name: text, isEscaped }, value]) => {
        const spelling = isEscaped
          ? `"${[...Array(text.length).keys()].map((i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`
          : JSON.stringify(text);
        return `${spelling}${one.blank}:${one.blank}${spelt(value)}`;
      });
      return `{${members.join(`,${one.blank}`)}${one.blank}}`;
    }
  }
}

/** Every container by its own means, not by JSON.parse. */
function meant(one: Tree): unknown {
  switch (one.kind) {
    case 'leaf':
      return JSON.parse(one.text);
    case 'list':
      return one.items.map(meant);
    case 'object':
      return Object.fromEntries(one.members.map(([{ name: text }, value]) => [text, meant(value)]));
  }
}

function isDoubled(one: Tree): boolean {
  switch (one.kind) {
    case 'leaf':
      return false;
    case 'list':
      return one.items.some(isDoubled);
    case 'object': {
      const names = one.members.map(([{ name: text }]) => text);
      return new Set(names).size < names.length || one.members.some(([, value]) => isDoubled(value));
    }
  }
}
