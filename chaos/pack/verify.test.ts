import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Story, NODES } from '../checkers/testing/story.ts';
import { sampleProofs, sampleResults } from '../reports/testing/sample.ts';
import { judgeAgain } from '../runner/judge-again.ts';
import { verdictOf } from '../runner/verdict.ts';
import { loadKey } from './key.ts';
import { verifyPack } from './verify.ts';
import { writePack } from './write.ts';

const [PROOF] = sampleProofs();
const EVIDENCE = { ok: true, checks: [{ claim: 'it bit', holds: true }], dropped: 1, droppedBytes: 9 };
const PROOFS = PROOF === undefined ? [] : [1, 2].map((at) => ({ ...PROOF, at, evidence: EVIDENCE }));

let place = '';
let files: Record<string, string>;

beforeAll(async () => {
  place = mkdtempSync(path.join(os.tmpdir(), 'aethel-verify-test-'));
  files = await honestRun();
});

afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

describe('a pack that is judged again', () => {
  it('comes out as it was packed', async () => {
    const { manifest, runs } = await verifyPack(await packed(files), null);
    expect(runs.map(({ differences }) => differences)).toEqual([[]]);
    expect(manifest.verdict).toBe(runs[0]?.results.verdict);
  });

  it.each([
    ['a verdict', 'results.json', '"verdict": "fail"', '"verdict": "pass"', 'the verdict is fail, not pass'],
    ['a check', 'results.json', '"detail": "', '"detail": "more than ', 'comes out otherwise'],
    [
      'a reason',
      'results.json',
      '"reasons": [',
      '"reasons": ["nothing", ',
      'the reasons of the verdict are others',
    ],
    ['a seed', 'results.json', '"seed": 7', '"seed": 8', 'the history is of another run'],
    ['a count', 'results.json', '"ok": 2', '"ok": 200', 'the writes are not those of the history'],
    ['a value in the history', 'history.jsonl', '"value":"one"', '"value":"won"', 'comes out otherwise'],
    ['a line of the history', 'history.jsonl', '{"type":"seen"', '{"type":"scene"', 'history.jsonl: line'],
    ['a proof', 'evidence.json', '"holds":true', '"holds":false', 'comes out otherwise'],
    ['a version', 'results.json', '"version": 1', '"version": 2', 'results.json: version'],
    [
      'a scenario',
      'results.json',
      '"scenario": "node-kill"',
      '"scenario": "nothing"',
      'knows no scenario nothing',
    ],
  ])('with another %s is refused, though it is signed anew', async (_what, name, from, to, line) => {
    const text = files[name] ?? '';
    expect(text).toContain(from);
    const changed = { ...files, [name]: text.replace(from, to) };
    await expect(verifyPack(await packed(changed), null)).rejects.toThrow(line);
  });

  it('with fewer proofs than faults is refused', async () => {
    const none = { ...files, 'evidence.json': '{"version":1,"proofs":[]}\n' };
    await expect(verifyPack(await packed(none), null)).rejects.toThrow('comes out otherwise');
  });

  it('without its evidence is refused', async () => {
    const { 'evidence.json': _gone, ...rest } = files;
    await expect(verifyPack(await packed(rest), null)).rejects.toThrow('evidence.json');
  });
});

/** What a run of node-kill leaves that has lost a write. */
async function honestRun(): Promise<Record<string, string>> {
  const story = new Story();
  story.mark('steady', 100);
  story.fault({ kind: 'kill', nodes: ['a'] }, 110, 150, ['a']);
  story.write('a', 200, 'fact/a/00000001', 'one');
  story.write('b', 300, 'fact/b/00000002', 'two');
  story.seen('b', 320, 'fact/a/00000001');
  story.state.delete('fact/b/00000002');
  story.finish(9_000);
  const about = { runId: 'run-1', scenario: 'node-kill', world: 'processes', seed: 7, nodes: NODES } as const;
  const lines = [{ type: 'run', at: 0, version: 1, ...about }, ...story.lines];
  const directory = path.join(place, 'made');
  mkdirSync(directory);
  const history = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const evidence = `${JSON.stringify({ version: 1, proofs: PROOFS })}\n`;
  const write = (results: object): string => {
    const text = `${JSON.stringify(results, null, 2)}\n`;
    writeFileSync(path.join(directory, 'results.json'), text);
    return text;
  };
  writeFileSync(path.join(directory, 'history.jsonl'), history);
  writeFileSync(path.join(directory, 'evidence.json'), evidence);
  const draft = {
    ...sampleResults(),
    ...about,
    writes: { ok: 2, fail: 0, info: 0 },
    measurements: [],
    troubles: [],
  };
  write(draft);
  const { checks } = await judgeAgain(directory);
  const { verdict, reasons } = verdictOf({
    checks,
    proofs: PROOFS,
    troubles: [],
    leftovers: [],
    strikes: 1,
    interrupted: false,
  });
  return {
    'history.jsonl': history,
    'evidence.json': evidence,
    'results.json': write({ ...draft, checks, verdict, reasons }),
  };
}

let packs = 0;
async function packed(contents: Readonly<Record<string, string>>): Promise<string> {
  packs += 1;
  const directory = path.join(place, `run-${packs}`);
  mkdirSync(directory);
  for (const [name, text] of Object.entries(contents)) writeFileSync(path.join(directory, name), text);
  const { verdict } = JSON.parse(readFileSync(path.join(directory, 'results.json'), 'utf8')) as {
    verdict: 'fail' | 'pass';
  };
  const file = path.join(place, `run-${packs}.tar.gz`);
  const key = loadKey(path.join(place, 'key.pem'));
  await writePack(
    directory,
    { run: 'run-1', verdict, environment: { commit: null, dirty: false } },
    key,
    file,
  );
  return file;
}
