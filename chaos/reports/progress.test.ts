import { Progress } from './progress.ts';
import { sampleResults } from './testing/sample.ts';

describe('progress', () => {
  it('is plain lines where nobody looks at a terminal', () => {
    const { output, progress } = piped({});
    progress.step('p2p-cut: steady state');
    progress.ended(sampleResults());
    expect(output.text).toMatch(/^ +\d+\.\d s {2}p2p-cut: steady state\n/);
    expect(output.text).toContain('✕ p2p-cut FAIL in 15.0 s\n');
    expect(output.text).not.toContain('\u001b');
  });

  it('is one line that changes on a terminal, never wider than it', () => {
    const { output, progress } = piped({ isTTY: true, columns: 40 });
    progress.step('x'.repeat(200));
    progress.step('two\nlines');
    expect(output.text).not.toContain('\n');
    expect(output.text.split('\r\u001b[2K').every((line) => line.length < 40)).toBe(true);
  });

  it('passes no control sequence on that a node has put into its words', () => {
    const { output, progress } = piped({});
    progress.step('\u001b[2J\u001b]0;title\u0007gone');
    expect(output.text).not.toContain('\u001b');
  });
});

function piped(terminal: { readonly isTTY?: boolean; readonly columns?: number }) {
  const output = {
    ...terminal,
    text: '',
    write(text: string): void {
      output.text += text;
    },
  };
  return { output, progress: new Progress(output, { TERM: 'xterm' }) };
}
