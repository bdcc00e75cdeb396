/**
 * Bytes, written and read with bounds: big-endian numbers, fixed runs, length-prefixed texts and blocks.
 *
 * Everything that crosses a wire or is signed is built from these. One value has one encoding: numbers have a fixed
 * width, text is strict UTF-8, and a reader must end exactly at the end. Whatever is wrong is a `CodecError`, so that
 * a border needs to catch one class only.
 */

export class CodecError extends Error {
  readonly code = 'codec';
  readonly reason: string;

  constructor(reason: string) {
    super(`codec: ${reason}`);
    this.name = 'CodecError';
    this.reason = reason;
  }
}

const U48_MAX = 2 ** 48 - 1;
const HEX_32 = /^[0-9a-f]{64}$/;
/** `ignoreBOM` keeps a leading U+FEFF as it is; dropping it would give two encodings one text. */
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class ByteWriter {
  #buffer: Buffer;
  #length = 0;
  readonly #bytesMax: number;

  /** @param bytesMax writing more throws */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#buffer = Buffer.allocUnsafe(Math.min(bytesMax, 512));
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const at = this.#claim(1, value, 0xff);
    this.#buffer.writeUInt8(value, at);
    return this;
  }

  u16(value: number): this {
    const at = this.#claim(2, value, 0xffff);
    this.#buffer.writeUInt16BE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#claim(4, value, 0xffff_ffff);
    this.#buffer.writeUInt32BE(value, at);
    return this;
  }

  u48(value: number): this {
    const at = this.#claim(6, value, U48_MAX);
    this.#buffer.writeUIntBE(value, at, 6);
    return this;
  }

  /** Eight bytes that hold a safe integer, so at most 2^53-1. */
  u64(value: number): this {
    const at = this.#claim(8, value, Number.MAX_SAFE_INTEGER);
    this.#buffer.writeUInt32BE(Math.floor(value / 2 ** 32), at);
    this.#buffer.writeUInt32BE(value % 2 ** 32, at + 4);
    return this;
  }

  /** A safe integer in as few bytes as it needs, seven bits each, lowest first (LEB128). */
  varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new CodecError(`${value} is no integer from 0`);
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) + 0x80);
      rest = Math.floor(rest / 0x80);
    }
    return this.u8(rest);
  }

  /** The bytes as they are; the reader must know their number. */
  bytes(value: Uint8Array): this {
    const at = this.#reserve(value.length);
    this.#buffer.set(value, at);
    return this;
  }

  /** 32 bytes given as 64 lower-case hex characters: a digest, a record id. */
  hex32(value: string): this {
    if (!HEX_32.test(value)) throw new CodecError('not 64 lower-case hex characters');
    const at = this.#reserve(32);
    this.#buffer.write(value, at, 'hex');
    return this;
  }

  /** Text of at most 65535 bytes of UTF-8 behind its u16 length. */
  text16(value: string): this {
    const bytes = utf8(value);
    return this.u16(bytes).#text(value, bytes);
  }

  /** Text behind its u32 length in bytes. */
  text32(value: string): this {
    const bytes = utf8(value);
    return this.u32(bytes).#text(value, bytes);
  }

  /** Bytes behind their u32 length. */
  block32(value: Uint8Array): this {
    return this.u32(value.length).bytes(value);
  }

  /** Bytes behind their length as a varint. */
  block(value: Uint8Array): this {
    return this.varint(value.length).bytes(value);
  }

  /** What was written, in memory that nobody else writes to. */
  finish(): Uint8Array {
    const bytes = Buffer.allocUnsafe(this.#length);
    this.#buffer.copy(bytes, 0, 0, this.#length);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  #text(value: string, bytes: number): this {
    const at = this.#reserve(bytes);
    this.#buffer.write(value, at, 'utf8');
    return this;
  }

  #claim(width: number, value: number, max: number): number {
    if (!Number.isSafeInteger(value) || value < 0 || value > max) {
      throw new CodecError(`${value} is no integer from 0 to ${max}`);
    }
    return this.#reserve(width);
  }

  /** @returns where the next `count` bytes go */
  #reserve(count: number): number {
    const at = this.#length;
    const end = at + count;
    if (end > this.#bytesMax) throw new CodecError(`more than ${this.#bytesMax} bytes`);
    if (end > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#bytesMax, Math.max(end, this.#buffer.length * 2)));
      grown.set(this.#buffer.subarray(0, at));
      this.#buffer = grown;
    }
    this.#length = end;
    return at;
  }
}

/** Counts what a `ByteWriter` would write, for whoever wants the size of a message only. */
export class ByteCounter extends ByteWriter {
  #count = 0;

  constructor() {
    super(0);
  }

  override get length(): number {
    return this.#count;
  }

  override u8(): this {
    return this.#add(1);
  }

  override u16(): this {
    return this.#add(2);
  }

  override u32(): this {
    return this.#add(4);
  }

  override u48(): this {
    return this.#add(6);
  }

  override u64(): this {
    return this.#add(8);
  }

  override varint(value: number): this {
    let bytes = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
    return this.#add(bytes);
  }

  override bytes(value: Uint8Array): this {
    return this.#add(value.length);
  }

  override hex32(): this {
    return this.#add(32);
  }

  override text16(value: string): this {
    return this.#add(2 + utf8(value));
  }

  override text32(value: string): this {
    return this.#add(4 + utf8(value));
  }

  override block32(value: Uint8Array): this {
    return this.#add(4 + value.length);
  }

  override block(value: Uint8Array): this {
    return this.varint(value.length).#add(value.length);
  }

  #add(bytes: number): this {
    this.#count += bytes;
    return this;
  }
}

export class ByteReader {
  readonly #buffer: Buffer;
  #at = 0;

  /** Reads in place: `bytes` and `block32` return views of the given memory. */
  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get remaining(): number {
    return this.#buffer.length - this.#at;
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#buffer.readUInt16BE(this.#take(2));
  }

  u32(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  u48(): number {
    return this.#buffer.readUIntBE(this.#take(6), 6);
  }

  u64(): number {
    const at = this.#take(8);
    const value = this.#buffer.readUInt32BE(at) * 2 ** 32 + this.#buffer.readUInt32BE(at + 4);
    if (!Number.isSafeInteger(value)) throw new CodecError('number above 2^53-1');
    return value;
  }

  /** @throws CodecError also where fewer bytes would have said the same */
  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value)) throw new CodecError('number above 2^53-1');
      if (byte >= 0x80) continue;
      if (byte === 0 && scale > 1) throw new CodecError('number in more bytes than it needs');
      return value;
    }
  }

  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return new Uint8Array(this.#buffer.buffer, this.#buffer.byteOffset + at, length);
  }

  /** 32 bytes as 64 lower-case hex characters. */
  hex32(): string {
    const at = this.#take(32);
    return this.#buffer.toString('hex', at, at + 32);
  }

  /** @param bytesMax longer is refused before it is read */
  text16(bytesMax: number): string {
    return this.#text(this.u16(), bytesMax);
  }

  /** @param bytesMax longer is refused before it is read */
  text32(bytesMax: number): string {
    return this.#text(this.u32(), bytesMax);
  }

  /** @param bytesMax longer is refused before it is read */
  block32(bytesMax: number): Uint8Array {
    const length = this.u32();
    if (length > bytesMax) throw new CodecError(`block of ${length} bytes, at most ${bytesMax}`);
    return this.bytes(length);
  }

  /** @param bytesMax longer is refused before it is read */
  block(bytesMax: number): Uint8Array {
    const length = this.varint();
    if (length > bytesMax) throw new CodecError(`block of ${length} bytes, at most ${bytesMax}`);
    return this.bytes(length);
  }

  /** Nothing may be left. */
  end(): void {
    if (this.remaining > 0) throw new CodecError(`${this.remaining} bytes too many`);
  }

  #text(length: number, bytesMax: number): string {
    if (length > bytesMax) throw new CodecError(`text of ${length} bytes, at most ${bytesMax}`);
    const bytes = this.bytes(length);
    try {
      return strictUtf8.decode(bytes);
    } catch {
      throw new CodecError('text is not UTF-8');
    }
  }

  /** @returns where the next `count` bytes are */
  #take(count: number): number {
    if (count > this.remaining) throw new CodecError(`${count} bytes wanted, ${this.remaining} left`);
    const at = this.#at;
    this.#at += count;
    return at;
  }
}

/** Length in UTF-8. A lone surrogate has none: it would be replaced silently. */
function utf8(text: string): number {
  if (!text.isWellFormed()) throw new CodecError('text with a lone surrogate');
  return Buffer.byteLength(text, 'utf8');
}
