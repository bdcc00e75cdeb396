import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { sampleProofs, sampleResults, sampleTimeline } from '../testing/sample.ts';
import { renderReport } from './run-report.ts';

const HOSTILE = `"'></title></style></script><script>alert(1)</script><img src=x onerror=alert(1)>&\u202e\u0000\ud800`;

describe('report.html', () => {
  it('needs nothing from the network and lets no other script run', () => {
    const text = report();
    expect(text).toContain(`default-src 'none'`);
    expect(text.match(/<script/g)).toHaveLength(1);
    expect(text).not.toMatch(/\b(src|href)=|url\(|@import|https?:[/]/);
  });

  it('lets its own script run', () => {
    const text = renderReport({ results: sampleResults(), proofs: [], timeline: sampleTimeline() });
    const script = /<script>([^]*?)<\/script>/.exec(text)?.[1] ?? '';
    expect(text).toContain(`'sha256-${createHash('sha256').update(script).digest('base64')}'`);
  });

  it('shows the verdict before anything else, and why', () => {
    const text = report();
    expect(text.indexOf('class="verdict v-fail"')).toBeLessThan(text.indexOf('<section'));
    expect(text).toContain('no acknowledged write is lost: 1 against it');
  });

  it('leads from a violation to its moment', () => {
    expect(report()).toContain(
      'data-at="2000"><span lang="en">fact/node1/00000001 was acknowledged and is not on node2</span>',
    );
  });

  it('says in both languages what it can, and the rest as it was said', () => {
    const text = report();
    expect(text).toContain('<span lang="pt-BR">nenhuma escrita confirmada se perde</span>');
    expect(text).toContain('<td>a claim that nobody has translated</td>');
  });

  it('says never where something never happened', () => {
    expect(report()).toContain('<td class="number">–</td>');
  });

  it('cannot be injected into by a name, a value or an error', () => {
    const text = hostileReport(HOSTILE);
    expect(tagsOf(text)).toEqual(tagsOf(hostileReport('harmless')));
    expect(text.isWellFormed()).toBe(true);
    expect(text).not.toContain('\u202e');
  });

  it('has the same tags and attributes whatever text is in it', () => {
    const expected = tagsOf(hostileReport('harmless'));
    const breaking = fc.string({
      unit: fc.constantFrom('<', '>', '"', "'", '&', '/', '`', '=', 'a', ' ', '\n', '{}'),
      minLength: 1,
    });
    fc.assert(
      fc.property(breaking, (text) => {
        expect(tagsOf(hostileReport(`x${text}`))).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('is empty, not broken, where nothing happened', () => {
    const results = { ...sampleResults(), nodes: [], measurements: [], checks: [] };
    const timeline = { from: 0, to: 1, lanes: [], bands: [], marks: [], writes: [] };
    expect(renderReport({ results, proofs: [], timeline })).not.toMatch(/NaN|undefined|Infinity/);
  });
});

function report(): string {
  const text = renderReport({ results: sampleResults(), proofs: sampleProofs(), timeline: sampleTimeline() });
  // White space between elements is layout of the source.
  return text.replaceAll(/>\s+/g, '>').replaceAll(/\s+</g, '<');
}

/** Every text of a run replaced by this one. */
function hostileReport(text: string): string {
  const results = sampleResults();
  const timeline = sampleTimeline();
  return renderReport({
    results: {
      ...results,
      scenario: text,
      says: text,
      runId: text,
      reasons: [text],
      measurements: results.measurements.map((one) => ({ ...one, what: text })),
      checks: results.checks.map((one) => ({
        ...one,
        claim: text,
        detail: text,
        violations: [{ text, at: 5, node: text }],
      })),
      cleanUp: { leftovers: [text], removed: 0 },
      environment: {
        ...results.environment,
        commit: text,
        cpu: text,
        kernel: text,
        engine: text,
        images: [{ name: text, id: text, source: text }],
      },
    },
    proofs: sampleProofs().map((proof) => ({
      ...proof,
      what: text,
      evidence: { ...proof.evidence, checks: proof.evidence.checks.map((one) => ({ ...one, claim: text })) },
    })),
    timeline: {
      ...timeline,
      lanes: timeline.lanes.map((lane) => ({ ...lane, node: text, roots: [{ at: 0, value: text }] })),
      bands: timeline.bands.map((band) => ({ ...band, label: text, nodes: [text] })),
      marks: timeline.marks.map((mark) => ({ ...mark, label: text })),
      writes: timeline.writes.map((write) => ({ ...write, key: text, node: text })),
    },
  });
}

/** Names of all elements in their order, with the names of their attributes; positions move with the length of a label. */
function tagsOf(text: string): readonly string[] {
  return [...text.matchAll(/<(\/?[a-z0-9!]+)((?:\s+[a-z-]+(?:="[^"]*")?)*)\s*\/?>/gi)].map(
    ([, name = '', attributes = '']) =>
      `${name} ${[...attributes.matchAll(/([a-z-]+)=/g)].map(([, key]) => key).join(' ')}`,
  );
}
