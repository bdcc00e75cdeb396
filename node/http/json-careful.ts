/**
 * Reads JSON member by member, for the few bodies that JSON.parse would change without a word:
 *
 *   two members of one name     it keeps the last one
 *   numbers                     it rounds what a double cannot hold
 *   a name like "\\n"           V8 of Node 24 and 26 takes a name that is one escape for the name "\\", once it has met that
 *                               name at the same place of another object (nodejs/node#63785)
 *
 * Knows where it is, so that what is refused is told by its JSON pointer (RFC 6901).
 */
import { endOfString, isExactNumber } from './json-scan.ts';
import { HttpProblem } from './problems.ts';

const POINTER_CHARS_MAX = 200;
const BLANK = /[ \t\n\r]*/y;
/** A number or a word. */
const TOKEN = /[-+.0-9a-zA-Z]+/y;

/**
 * @param text valid JSON, nested no deeper than the stack bears
 * @throws HttpProblem for what cannot be kept as it came
 */
export function readCarefully(text: string): unknown {
  return new Reader(text).value();
}

const MEMBER = { configurable: true, enumerable: true, writable: true };

class Reader {
  readonly #text: string;
  #at = 0;
  readonly #path: (string | number)[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  value(): unknown {
    switch (this.#next()) {
      case '{':
        return this.#object();
      case '[':
        return this.#list();
      case '"':
        return this.#string();
      default:
        return this.#token();
    }
  }

  #object(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.#at += 1;
    if (this.#isAtEnd('}')) return object;
    do {
      this.#next();
      const name = this.#string();
      this.#path.push(name);
      if (Object.hasOwn(object, name)) {
        throw new HttpProblem(
          'malformed-json',
          `The body has two members of one name in one object, at ${this.#place()}.`,
        );
      }
      this.#next();
      this.#at += 1;
      const value = this.value();
      // As JSON.parse does it: a member, also where its name is __proto__.
      if (name === '__proto__') Object.defineProperty(object, name, { value, ...MEMBER });
      else object[name] = value;
      this.#path.pop();
    } while (!this.#isAtEnd('}'));
    return object;
  }

  #list(): readonly unknown[] {
    const list: unknown[] = [];
    this.#at += 1;
    if (this.#isAtEnd(']')) return list;
    do {
      this.#path.push(list.length);
      list.push(this.value());
      this.#path.pop();
    } while (!this.#isAtEnd(']'));
    return list;
  }

  /** Passes the end, or the comma before the next part. */
  #isAtEnd(end: '}' | ']'): boolean {
    const next = this.#next();
    if (next === end || next === ',') this.#at += 1;
    return next === end;
  }

  #string(): string {
    const start = this.#at;
    this.#at = endOfString(this.#text, start);
    const raw = this.#text.slice(start + 1, this.#at - 1);
    return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
  }

  #token(): unknown {
    TOKEN.lastIndex = this.#at;
    const token = TOKEN.exec(this.#text)?.[0] ?? '';
    this.#at += token.length;
    if (token === 'true' || token === 'false') return token === 'true';
    if (token === 'null') return null;
    if (!isExactNumber(token)) {
      throw new HttpProblem(
        'bad-request',
        `The number ${token.slice(0, 40)} at ${this.#place()} would lose digits as a double; send it as a string.`,
      );
    }
    return Number(token);
  }

  /** The next character that is no blank, which is not passed. */
  #next(): string {
    BLANK.lastIndex = this.#at;
    this.#at += BLANK.exec(this.#text)?.[0].length ?? 0;
    return this.#text[this.#at] ?? '';
  }

  #place(): string {
    if (this.#path.length === 0) return 'the body itself';
    const steps = this.#path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`);
    return JSON.stringify(steps.join('').slice(0, POINTER_CHARS_MAX));
  }
}
