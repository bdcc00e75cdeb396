/**
 * Memory for many small blocks of bytes that come and go, in few large buffers outside of the JavaScript heap.
 *
 * Blocks are appended to the current slab. A released block stays where it is, marked, until more than a twelfth of the
 * memory is waste; then the slab that wastes most is emptied into the current one, and whoever owns a block hears of its
 * new position. With `live` the bytes of the blocks in their frames, this bounds what is held:
 *
 *     held ≤ 12/11 × live + 1.5 × slabBytes
 *
 * The slab that wastes most wastes more than a twelfth of itself, and a block above a twelfth of a slab gets one of its
 * own, so that what moving leaves unused at the end of a slab is less than what it wins: emptying ends. At worst it
 * copies eleven bytes per byte won, under random churn about five.
 *
 *     frame   u32 length of the block, top bit set when released; the block; zeros up to a multiple of 4
 */
/** Moves follow releases, so a position is good only until the next `release`. In units of 4 bytes; below 2^32. */
export type Position = number;

export interface BlocksOptions {
  /**
   * Size of a slab, a power of two. Default 1 MiB: the largest record is below a twelfth of it, and emptying one stops
   * the world for about 3 ms. Larger ones stop it for longer. The first slabs are smaller, so that an empty store
   * costs next to nothing.
   */
  readonly slabBytes: number;
}

const BLOCKS_DEFAULTS: BlocksOptions = { slabBytes: 1_048_576 };

/** waste allowed, as a share of what is held; the smaller, the more is copied */
const WASTE_MAX = 1 / 12;
const SLAB_BYTES_MIN = 4_096;
const FRAME_BYTES = 4;
const UNIT_BYTES = 4;
const POSITIONS = 2 ** 32;
const RELEASED = 0x8000_0000;

interface Slab {
  readonly bytes: Buffer;
  /** where the next frame goes */
  used: number;
  /** bytes of frames that are not released */
  live: number;
}

export class Blocks {
  readonly #moved: (to: Position, from: Position) => void;
  readonly #slabBytes: number;
  readonly #slabUnits: number;
  /** null where a slab was let go; its number is given out again */
  readonly #slabs: (Slab | null)[] = [];
  readonly #vacant: number[] = [];
  #current = -1;
  #held = 0;
  #live = 0;

  /** @param moved a block that lives is now at `to`; must not allocate or release */
  constructor(moved: (to: Position, from: Position) => void, options: BlocksOptions = BLOCKS_DEFAULTS) {
    this.#moved = moved;
    this.#slabBytes = options.slabBytes;
    this.#slabUnits = options.slabBytes / UNIT_BYTES;
  }

  /** Bytes of all slabs. */
  get heldBytes(): number {
    return this.#held;
  }

  /** Bytes of the blocks that live, frames included. */
  get liveBytes(): number {
    return this.#live;
  }

  /** Room for a block. What is in it is undefined until the caller has written it, which must be at once. */
  allocate(length: number): Position {
    const size = frameBytes(length);
    let number = this.#current;
    let slab = this.#slabs[number];
    if (!slab || slab.bytes.length - slab.used < size) {
      number = this.#open(size);
      slab = this.#slab(number);
    }
    const at = slab.used;
    slab.bytes.writeUInt32LE(length, at);
    slab.used += size;
    slab.live += size;
    this.#live += size;
    return number * this.#slabUnits + at / UNIT_BYTES;
  }

  /** The memory in which the block lies. */
  bytesOf(position: Position): Buffer {
    return this.#slab(Math.floor(position / this.#slabUnits)).bytes;
  }

  /** Where in `bytesOf` the block begins. */
  startOf(position: Position): number {
    return (position % this.#slabUnits) * UNIT_BYTES + FRAME_BYTES;
  }

  lengthOf(position: Position): number {
    return this.bytesOf(position).readUInt32LE(this.startOf(position) - FRAME_BYTES);
  }

  /** Gives a block back. Others may move. */
  release(position: Position): void {
    const slab = this.#slab(Math.floor(position / this.#slabUnits));
    const at = this.startOf(position) - FRAME_BYTES;
    const length = slab.bytes.readUInt32LE(at);
    if (length >= RELEASED) throw new RangeError(`block ${position} was released before`);
    slab.bytes.writeUInt32LE(length + RELEASED, at);
    slab.live -= frameBytes(length);
    this.#live -= frameBytes(length);
    while (this.#wastedBytes() > this.#held * WASTE_MAX) this.#empty(this.#worst());
  }

  #slab(number: number): Slab {
    const slab = this.#slabs[number];
    if (!slab) throw new RangeError(`no slab ${number}`);
    return slab;
  }

  #wastedBytes(): number {
    const current = this.#slabs[this.#current];
    const free = current ? current.bytes.length - current.used : 0;
    return this.#held - this.#live - free;
  }

  /** A new slab. A large block gets one of its own, so that no slab ends with much room that nothing fits in. */
  #open(size: number): number {
    const usual = Math.min(this.#slabBytes, Math.max(SLAB_BYTES_MIN, powerOfTwoFrom(this.#held)));
    const isOwn = size > usual * WASTE_MAX;
    const slab: Slab = { bytes: Buffer.allocUnsafeSlow(isOwn ? size : usual), used: 0, live: 0 };
    const number = this.#vacant.pop() ?? this.#slabs.length;
    if ((number + 1) * this.#slabUnits > POSITIONS) throw new RangeError(`more than ${number} slabs`);
    this.#slabs[number] = slab;
    this.#held += slab.bytes.length;
    if (!isOwn) this.#current = number;
    return number;
  }

  #worst(): number {
    let worst = -1;
    let most = 0;
    for (const [number, slab] of this.#slabs.entries()) {
      if (slab === null) continue;
      const end = number === this.#current ? slab.used : slab.bytes.length;
      const share = (end - slab.live) / slab.bytes.length;
      if (share > most) [worst, most] = [number, share];
    }
    return worst;
  }

  /** Moves what lives out of a slab and lets it go. */
  #empty(number: number): void {
    const slab = this.#slab(number);
    if (number === this.#current) this.#current = -1;
    for (let at = 0; at < slab.used && slab.live > 0;) {
      const word = slab.bytes.readUInt32LE(at);
      const isLive = word < RELEASED;
      const size = frameBytes(isLive ? word : word - RELEASED);
      if (isLive) {
        const to = this.allocate(word);
        slab.bytes.copy(this.bytesOf(to), this.startOf(to), at + FRAME_BYTES, at + size);
        slab.live -= size;
        this.#live -= size;
        this.#moved(to, number * this.#slabUnits + at / UNIT_BYTES);
      }
      at += size;
    }
    this.#slabs[number] = null;
    this.#vacant.push(number);
    this.#held -= slab.bytes.length;
  }
}

function frameBytes(length: number): number {
  return Math.ceil((FRAME_BYTES + length) / UNIT_BYTES) * UNIT_BYTES;
}

function powerOfTwoFrom(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, bytes)));
}
