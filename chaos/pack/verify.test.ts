import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Story, NODES } from '../checkers/testing/story.ts';
import type { GateResults, Results } from '../reports/results.ts';
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

  it('does not take the history of another run, or of none, for its own', async () => {
    const lines = (files['history.jsonl'] ?? '').split('\n');
    const nameless = { ...files, 'history.jsonl': lines.slice(1).join('\n') };
    await expect(verifyPack(await packed(nameless), null)).rejects.toThrow('the history does not say');
    const twofold = { ...files, 'history.jsonl': [lines[0], ...lines].join('\n') };
    await expect(verifyPack(await packed(twofold), null)).rejects.toThrow('the history is of 2 runs');
  });

  it('makes a claim once', async () => {
    const results = JSON.parse(files['results.json'] ?? '') as Results;
    const better = results.checks.map((check) => ({ ...check, verdict: 'pass' as const }));
    const twice = {
      ...files,
      'results.json': JSON.stringify({ ...results, checks: [...results.checks, ...better] }),
    };
    await expect(verifyPack(await packed(twice), null)).rejects.toThrow('is claimed twice');
  });

  it('names the source that its run names', async () => {
    const pack = await packed(files, { commit: 'f'.repeat(40), dirty: false });
    await expect(verifyPack(pack, null)).rejects.toThrow('another source');
  });

  it('has nothing in it that nobody judges', async () => {
    const more = { ...files, 'below/history.jsonl': '{}\n' };
    await expect(verifyPack(await packed(more), null)).rejects.toThrow('below is no part of a run');
  });

  it('without its evidence is refused', async () => {
    const { 'evidence.json': _gone, ...rest } = files;
    await expect(verifyPack(await packed(rest), null)).rejects.toThrow('evidence.json');
  });
});

describe('the pack of a gate', () => {
  const below = (directory: string): Record<string, string> =>
    Object.fromEntries(Object.entries(files).map(([name, text]) => [`${directory}/${name}`, text]));

  /** One run, as the gate tells of it, changed. */
  function gateOf(
    change: Partial<GateResults['runs'][number]>,
    ...more: GateResults['runs']
  ): Record<string, string> {
    const results = JSON.parse(files['results.json'] ?? '') as Results;
    const { scenario, verdict, reasons, tookMs, writes, world, nodes, seed, startedAt, environment } =
      results;
    const one = { scenario, directory: 'one', verdict, reasons, tookMs, acknowledged: writes.ok };
    const gate: GateResults = {
      version: 1,
      gateId: 'run-1',
      world,
      nodes: nodes.length,
      seed,
      startedAt,
      tookMs,
      verdict,
      runs: [{ ...one, ...change }, ...more],
      environment,
    };
    return { 'results.json': JSON.stringify(gate), ...below('one') };
  }

  it('comes out as it was packed', async () => {
    const { runs } = await verifyPack(await packed(gateOf({})), null);
    expect(runs.map(({ results }) => results.scenario)).toEqual(['node-kill']);
  });

  it('tells of its runs what they are', async () => {
    for (const change of [{ scenario: 'p2p-cut' }, { reasons: [] }, { acknowledged: 200 }])
      await expect(verifyPack(await packed(gateOf(change)), null)).rejects.toThrow('tells otherwise of one');
  });

  it('has each of its runs in it, once', async () => {
    const { runs } = JSON.parse(gateOf({})['results.json'] ?? '') as GateResults;
    await expect(verifyPack(await packed(gateOf({}, ...runs)), null)).rejects.toThrow('one twice');
    await expect(verifyPack(await packed(gateOf({ directory: 'two' })), null)).rejects.toThrow(
      'no run of this gate',
    );
  });

  it('leads nowhere else', async () => {
    const outside = `../${path.basename(place)}/made`;
    const gate = gateOf({ directory: outside });
    const alone = { 'results.json': gate['results.json'] ?? '' };
    await expect(verifyPack(await packed(alone), null)).rejects.toThrow('is not in it');
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
async function packed(
  contents: Readonly<Record<string, string>>,
  source: { readonly commit: string; readonly dirty: boolean } | null = null,
): Promise<string> {
  packs += 1;
  const directory = path.join(place, `run-${packs}`);
  mkdirSync(directory);
  for (const [name, text] of Object.entries(contents)) {
    mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
    writeFileSync(path.join(directory, name), text);
  }
  const { verdict, environment } = JSON.parse(contents['results.json'] ?? '') as Results;
  const file = path.join(place, `run-${packs}.tar.gz`);
  const key = loadKey(path.join(place, 'key.pem'));
  await writePack(directory, { run: 'run-1', verdict, environment: source ?? environment }, key, file);
  return file;
}
