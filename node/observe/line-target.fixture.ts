/** A target whose reader is the test: it takes what it is told to take, and fails as it is told to fail. */
import type { LineTarget, WriteTold } from './line-targets.ts';

export class FakeTarget implements LineTarget {
  readonly name: LineTarget['name'];
  readonly isPrompt: boolean;
  text = '';
  opened = 0;
  isOpen = true;
  tries = 0;
  /** code of the system's error that each write ends with */
  failure: string | null = null;
  /** bytes that it takes until it says EAGAIN */
  room = Number.POSITIVE_INFINITY;
  #pending: (() => void) | null = null;

  constructor(name: LineTarget['name'], isPrompt = true) {
    this.name = name;
    this.isPrompt = isPrompt;
  }

  /** The cut line at the end of what was open before is not taken for a whole one. */
  open(): void {
    this.opened += 1;
    this.text = this.text.slice(0, this.text.lastIndexOf('\n') + 1);
  }

  writeSync(bytes: Uint8Array): number {
    this.tries += 1;
    const failure = this.failure ?? (this.room === 0 ? 'EAGAIN' : null);
    if (failure !== null) throw Object.assign(new Error(failure), { code: failure });
    const taken = bytes.subarray(0, Math.min(bytes.length, this.room));
    this.room -= taken.length;
    this.text += Buffer.from(taken).toString();
    return taken.length;
  }

  /** As the system's: held until `settle`. */
  write(bytes: Uint8Array, told: WriteTold): void {
    this.#pending = () => {
      let written = 0;
      try {
        written = this.writeSync(bytes);
      } catch (error) {
        told(error as NodeJS.ErrnoException, 0);
        return;
      }
      told(null, written);
    };
  }

  /** Ends the write under way. @returns whether there was one */
  settle(): boolean {
    const pending = this.#pending;
    this.#pending = null;
    pending?.();
    return pending !== null;
  }

  close(): void {
    this.isOpen = false;
  }

  lines(): readonly string[] {
    return this.text.split('\n').filter((line) => line !== '');
  }
}
