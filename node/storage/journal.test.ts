import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { decodeMark, encodeMark, Journal, readJournal } from './journal.ts';

const HALF = 1_048_576;

describe('the journal', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'aethel-journal-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const texts = (mark: Journal['mark']) => {
    const { frames, isDamaged } = readJournal(dir, decodeMark(encodeMark(mark)));
    return { frames: frames.map(String), isDamaged };
  };
  const change = async (at: number, to: (byte: number) => number): Promise<void> => {
    const file = await readFile(join(dir, 'journal'));
    file[at] = to(file[at] ?? 0);
    await writeFile(join(dir, 'journal'), file);
  };

  it('gives back what was appended, in order, from a mark on and over the turn', () => {
    const journal = new Journal(dir);
    const first = journal.mark;
    journal.append(Buffer.from('one'));
    journal.append(Buffer.from('two'));
    journal.turn();
    const second = journal.mark;
    journal.append(Buffer.from('three'));
    journal.close();
    expect(texts(first)).toEqual({ frames: ['one', 'two', 'three'], isDamaged: false });
    expect(texts(second)).toEqual({ frames: ['three'], isDamaged: false });
  });

  it('takes nothing of earlier turns of a half for frames of this one, nor of another process', () => {
    const before = new Journal(dir);
    for (let n = 0; n < 20; n += 1) before.append(Buffer.from(`old ${n}`));
    before.close();
    const journal = new Journal(dir);
    const { mark } = journal;
    journal.append(Buffer.from('new'));
    journal.turn();
    journal.turn();
    expect(texts(journal.mark)).toEqual({ frames: [], isDamaged: false });
    journal.append(Buffer.from('newest'));
    journal.close();
    expect(texts(journal.mark)).toEqual({ frames: ['newest'], isDamaged: false });
    // What was there is overwritten: whoever asks for it hears that something is missing, not of other frames.
    expect(texts(mark).frames).not.toContain('newest');
  });

  it('has room for half of the file, and no more', () => {
    const journal = new Journal(dir);
    const big = Buffer.alloc(300_000);
    let count = 0;
    for (; journal.hasRoomFor(big); count += 1) journal.append(big);
    expect(count).toBe(3);
    journal.turn();
    expect(journal.hasRoomFor(big)).toBe(true);
    journal.close();
  });

  it('drops a last frame that is not whole: nobody was told of it', async () => {
    const journal = new Journal(dir);
    const { mark } = journal;
    journal.append(Buffer.from('whole'));
    const at = journal.bytes + (mark.name % 2n === 0n ? 0 : HALF);
    journal.append(Buffer.alloc(2_000, 'x'));
    journal.close();
    await change(at + 1_600, (byte) => byte ^ 1);
    expect(texts(mark)).toEqual({ frames: ['whole'], isDamaged: false });
  });

  it('says so where a frame is not whole that others are behind, in its turn or in the next', async () => {
    const journal = new Journal(dir);
    const { mark } = journal;
    const start = mark.name % 2n === 0n ? 0 : HALF;
    for (const text of ['one', 'two']) journal.append(Buffer.from(text));
    await change(start + 24, () => 0);
    expect(texts(mark)).toEqual({ frames: ['two'], isDamaged: true });
    await change(start + 24, () => 'o'.charCodeAt(0));
    expect(texts(mark).isDamaged).toBe(false);
    journal.turn();
    journal.append(Buffer.from('three'));
    journal.close();
    await change(start + 512 + 24, () => 0);
    expect(texts(mark)).toEqual({ frames: ['one', 'three'], isDamaged: true });
  });

  it('finds all that returned, whatever sectors of the frame being written are there', async () => {
    const contents = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3_000 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        contents,
        fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
        async (list, there) => {
          await rm(join(dir, 'journal'), { force: true });
          const journal = new Journal(dir);
          const { mark } = journal;
          for (const [i, content] of list.entries()) {
            // A turn in the middle: what is before it is not in LMDB yet.
            if (i === 5) journal.turn();
            journal.append(content);
          }
          const half = journal.mark.name % 2n === 0n ? 0 : HALF;
          const from = half + journal.bytes;
          const before = await readFile(join(dir, 'journal'));
          journal.append(Buffer.alloc(3_000, 7));
          journal.close();
          const after = await readFile(join(dir, 'journal'));
          const torn = Buffer.from(before);
          for (const [i, isThere] of there.entries()) {
            const at = from + 512 * i;
            if (isThere) after.copy(torn, at, at, at + 512);
          }
          await writeFile(join(dir, 'journal'), torn);
          const { frames, isDamaged } = readJournal(dir, mark);
          expect(isDamaged).toBe(false);
          expect(frames.slice(0, list.length).map((frame) => frame.toString('hex'))).toEqual(
            list.map((content) => Buffer.from(content).toString('hex')),
          );
          expect(frames.length - list.length).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 30 },
    );
  });
});
