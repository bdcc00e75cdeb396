/**
 * One pass over JSON text that JSON.parse has accepted: what of it JSON.parse and JSON.stringify would not give back as it
 * came. Every body passes here, so the pass builds nothing.
 */

export interface Survey {
  /** nesting of lists and objects */
  readonly depth: number;
  /** of all objects together, by the text */
  readonly members: number;
  /** a number that a double does not hold, a zero with a sign, or a name with an escape: to be read by `readCarefully` */
  readonly needsCare: boolean;
}

/** Longer number tokens are refused: no double needs more than 770 digits to be written exactly. */
const NUMBER_CHARS_MAX = 800;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const MINUS = 0x2d;

/** @param text valid JSON */
export function survey(text: string): Survey {
  let depth = 0;
  let deepest = 0;
  let members = 0;
  let needsCare = false;
  /** where the last string began, and ended */
  let from = 0;
  let to = 0;
  for (let at = 0; at < text.length;) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        from = at;
        to = endOfString(text, at);
        at = to;
        break;
      case COLON:
        members += 1;
        needsCare ||= hasEscape(text, from, to);
        at += 1;
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth += 1;
        if (depth > deepest) deepest = depth;
        at += 1;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        depth -= 1;
        at += 1;
        break;
      default: {
        const end = endOfNumber(text, at);
        if (end > at) needsCare ||= !isPlainNumber(text.slice(at, end));
        at = Math.max(end, at + 1);
      }
    }
  }
  return { depth: deepest, members, needsCare };
}

function hasEscape(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (text.charCodeAt(at) === BACKSLASH) return true;
  return false;
}

/** Exact, and no zero with a sign, which JSON.stringify would take away. */
function isPlainNumber(token: string): boolean {
  return isExactNumber(token) && !(token.startsWith('-0') && Number(token) === 0);
}

/**
 * Whether a JSON number keeps its decimal value when it is read as a double and written again.
 *
 *   1.0, 1e2, 0.1 → yes        12345678901234567890, 0.1000000000000000055, 1e400, 1e-400 → no
 */
export function isExactNumber(token: string): boolean {
  // 15 significant digits always survive, whatever they are.
  if (token.length <= 15 && !/[eE]/.test(token)) return true;
  if (token.length > NUMBER_CHARS_MAX) return false;
  const written = String(Number(token));
  if (written === token) return true;
  if (!Number.isFinite(Number(token))) return false;
  return normalForm(token) === normalForm(written);
}

/** Decimal digits without zeros at either end, and the power of ten: `-12300e-1` → `-123e1`; zero → `0`. */
function normalForm(token: string): string {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token);
  if (parts === null) return token;
  const fraction = parts[3] ?? '';
  const digits = (parts[2] ?? '') + fraction;
  let start = 0;
  let end = digits.length;
  while (start < end && digits[start] === '0') start += 1;
  while (end > start && digits[end - 1] === '0') end -= 1;
  if (start === end) return '0';
  const exponent = Number(parts[4] ?? '0') - fraction.length + (digits.length - end);
  return `${parts[1] ?? ''}${digits.slice(start, end)}e${exponent}`;
}

/** Behind the closing quote. @param start of the opening one */
export function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) break;
    at += code === BACKSLASH ? 2 : 1;
  }
  return at + 1;
}

/** `start` itself where no number starts: the letters of true, false and null, commas, colons, blanks. */
function endOfNumber(text: string, start: number): number {
  let at = start;
  if (text.charCodeAt(at) === MINUS || isDigit(text.charCodeAt(at))) {
    at += 1;
    while (at < text.length && isOfNumber(text.charCodeAt(at))) at += 1;
  }
  return at;
}

/** 0-9 + - . e E */
function isOfNumber(code: number): boolean {
  return isDigit(code) || code === MINUS || code === 0x2b || code === 0x2e || code === 0x65 || code === 0x45;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
