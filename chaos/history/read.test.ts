import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { History } from './history.ts';
import { HistoryLine } from './line.ts';
import { HistoryUnreadableError, parseLine, readHistory } from './read.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'aethel-history-'));
afterAll(() => rmSync(directory, { recursive: true }));

async function linesOf(file: string): Promise<readonly HistoryLine[]> {
  const lines: HistoryLine[] = [];
  for await (const line of readHistory(file)) lines.push(line);
  return lines;
}

function fileOf(name: string, text: string | Uint8Array): string {
  const file = path.join(directory, name);
  writeFileSync(file, text);
  return file;
}

const MARK = '{"type":"mark","at":1,"mark":"steady","node":""}';

describe('a history', () => {
  it('is read as it was written', async () => {
    const file = path.join(directory, 'written.jsonl');
    const history = new History(file);
    const heard: HistoryLine[] = [];
    history.listen((line) => heard.push(line));
    history.add({
      type: 'invoke',
      f: 'write',
      op: history.nextOp(),
      node: 'a',
      key: 'ç\n"',
      value: { x: [null, 1] },
    });
    history.add({ type: 'ok', f: 'write', op: 1, node: 'a', version: 'v' });
    history.add(
      { type: 'fault', id: 0, phase: 'begun', spec: { kind: 'kill', nodes: ['a'] }, nodes: ['a'] },
      12.34,
    );
    history.add({ type: 'measured', what: 'x', from: 0, ms: null, budgetMs: 5, round: 1 });
    await history.close();
    expect(await linesOf(file)).toEqual(heard);
    expect(heard[2]?.at).toBe(12.3);
  });

  it('is refused where it is cut short, where a line is no line, and where one never ends', async () => {
    await expect(linesOf(fileOf('short', `${MARK}\n${MARK.slice(0, 20)}`))).rejects.toThrow(
      'line 2: cut short',
    );
    await expect(linesOf(fileOf('other', `${MARK}\n{"type":"mark"}\n`))).rejects.toThrow('line 2:');
    await expect(linesOf(fileOf('binary', Buffer.from([0xff, 0xfe, 0x0a])))).rejects.toThrow(
      'line 1: not JSON',
    );
    await expect(linesOf(fileOf('long', 'x'.repeat(5_000_000)))).rejects.toThrow('longer than');
    expect(await linesOf(fileOf('empty', ''))).toEqual([]);
  });

  it('comes in pieces of any size', async () => {
    const text = `${MARK}\n`.repeat(5_000);
    expect(await linesOf(fileOf('pieces', text))).toHaveLength(5_000);
  });
});

describe('a line', () => {
  it('of any bytes is read or refused, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        try {
          parseLine(bytes, 1);
        } catch (error) {
          expect(error).toBeInstanceOf(HistoryUnreadableError);
        }
      }),
    );
  });

  it('of any JSON is read or refused, and nothing else', () => {
    const anything = fc.oneof(
      fc.json(),
      fc
        .record({ type: fc.constantFrom('ok', 'invoke', 'fault', 'entries'), f: fc.json(), at: fc.double() })
        .map((one) => JSON.stringify(one)),
    );
    fc.assert(
      fc.property(anything, (text) => {
        try {
          parseLine(Buffer.from(text), 1);
        } catch (error) {
          expect(error).toBeInstanceOf(HistoryUnreadableError);
        }
      }),
    );
  });

  it('with one field changed is the same line, or refused', () => {
    const line = JSON.parse(MARK) as Record<string, unknown>;
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(line)), fc.jsonValue(), (field, value) => {
        const parsed = HistoryLine.safeParse({ ...line, [field]: value });
        if (parsed.success) expect(parsed.data).toMatchObject({ [field]: value });
      }),
    );
  });
});
