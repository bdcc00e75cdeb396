import { clusterKeyOf, readSecret } from './secrets.ts';

const PATH = '/run/key';

describe('the bytes of a key file', () => {
  it('count, each of them: two binary keys are two keys (X33)', () => {
    const one = keyOf(Buffer.alloc(32, 0x80));
    const other = keyOf(Buffer.alloc(32, 0x81));
    expect(one).not.toBe(other);
    expect(keyOf(Buffer.concat([Buffer.alloc(32, 0x80), Buffer.from('\n')]))).not.toBe(one);
  });

  it('make the keys that they made when files were read as text, where they are text', () => {
    const hex = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';
    expect(keyOf(Buffer.from(`${hex}\n`))).toBe(hex);
    expect(keyOf(Buffer.from(hex.toUpperCase()))).toBe(hex);
    // node 9669c04: sha256("aethel/cluster-key/v1\n" + text.trim())
    const text = 'correct horse battery stäple';
    for (const written of [text, `${text}\n`, `\ufeff${text}\r\n`, ` ${text}\u00a0`])
      expect(keyOf(Buffer.from(written))).toBe(
        'ed7ab9b464e522e5141780bbe6744bde49554045a4960da3a671c7c8e0e6e436',
      );
  });

  it.each([
    ['short', Buffer.from('short\n'), '(is 5)'],
    ['blank', Buffer.from(' '.repeat(40)), '(is 0)'],
    ['UTF-16', Buffer.from('\ufeff' + 'ab'.repeat(16), 'utf16le'), 'UTF-16'],
  ])('are refused where they are %s', (_what, bytes, word) => {
    const problems: string[] = [];
    const secret = readSecret(
      'AETHEL_CLUSTER_KEY',
      { AETHEL_CLUSTER_KEY_FILE: PATH },
      () => bytes,
      (_, problem) => problems.push(problem),
    );
    expect(secret).toBeNull();
    expect(problems).toEqual([expect.stringContaining(word)]);
  });
});

function keyOf(bytes: Uint8Array): string {
  const secret = readSecret(
    'AETHEL_CLUSTER_KEY',
    { AETHEL_CLUSTER_KEY_FILE: PATH },
    () => bytes,
    (name, problem) => {
      throw new Error(`${name} ${problem}`);
    },
  );
  if (secret === null) throw new Error('no secret');
  return Buffer.from(clusterKeyOf(secret)).toString('hex');
}
