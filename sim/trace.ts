/**
 * What happened, as one number: every step is mixed in, so equal hashes mean equal runs. Cheap enough for thirty million steps,
 * therefore no SHA-256 until the end.
 *
 * It is the same on every machine that runs the same JavaScript engine: times are sums and products of IEEE 754 doubles and
 * integers, nothing in sim/ or in the core asks Math.pow, log, exp or sin, a clock, a locale or the order of anything but what
 * was inserted.
 */
import { hash } from 'node:crypto';

/** odd, from MurmurHash3's mixers */
const C1 = 0xcc9e_2d51;
const C2 = 0x1b87_3593;

export class Trace {
  #a = 0x9e37_79b9 | 0;
  #b = 0x243f_6a88;
  #steps = 0;

  /** How many things were noted. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * @param at virtual ms; it counts to the microsecond
   * @param what a small code
   */
  step(at: number, host: number, what: number): void {
    this.#steps += 1;
    this.#mix((at * 1_000) | 0);
    this.#mix(host * 64 + what);
  }

  text(at: number, what: string): void {
    this.#steps += 1;
    this.#mix((at * 1_000) | 0);
    for (let i = 0; i < what.length; i += 1) this.#mix(what.charCodeAt(i));
  }

  /** 64 hex characters. */
  hash(): string {
    return hash('sha256', `${this.#steps} ${this.#a >>> 0} ${this.#b >>> 0}`, 'hex');
  }

  #mix(value: number): void {
    let k = Math.imul(value, C1);
    k = (k << 15) | (k >>> 17);
    const a = this.#a ^ Math.imul(k, C2);
    this.#a = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe654_6b64) | 0;
    this.#b = (Math.imul(this.#b ^ value, 0x0100_0193) + (this.#a >>> 7)) | 0;
  }
}
