import { parseDatedEvent } from './wire.ts';
import { readSse, SSE_CHARACTERS_MAX } from './sse.ts';
import type { SseMessage } from './sse.ts';

describe('events on the wire', () => {
  it('are taken when they are known', () => {
    const dated = { id: 3, at: 5, event: { type: 'mode', from: 'P2P', to: 'HTTP', reason: 'silence' } };
    expect(parseDatedEvent(JSON.stringify(dated))).toEqual(dated);
  });

  it.each([
    ['of a kind not known here', { id: 3, at: 5, event: { type: 'weather' } }],
    [
      'with a mode not known here',
      { id: 3, at: 5, event: { type: 'mode', from: 'P2P', to: 'WARP', reason: '' } },
    ],
    ['without a date', { id: 3, event: { type: 'forced', mode: null } }],
    ['that are no object', 7],
  ])('%s are passed over', (_, value) => {
    expect(parseDatedEvent(JSON.stringify(value))).toBeNull();
  });

  it('that are no JSON are passed over', () => {
    expect(parseDatedEvent('{"id":')).toBeNull();
  });
});

describe('a stream of server-sent events', () => {
  const text =
    ': hello\r\n\r\nevent: snapshot\r\ndata: {"ä":1}\r\n\r\nid: 4\ndata: one\ndata: two\n\ndata: unfinished\n';
  const messages = [
    { name: 'snapshot', data: '{"ä":1}' },
    { name: 'message', data: 'one\ntwo' },
  ];

  it('is read the same wherever the network cuts it', async () => {
    const bytes = new TextEncoder().encode(text);
    for (const size of [1, 2, 3, 7, bytes.length]) {
      expect(await collect(chunksOf(bytes, size))).toEqual(messages);
    }
  });

  it('is broken off when a message does not end', async () => {
    const line = new TextEncoder().encode('x'.repeat(SSE_CHARACTERS_MAX + 1));
    await expect(collect(chunksOf(line, line.length))).rejects.toThrow(RangeError);
  });
});

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<readonly SseMessage[]> {
  const messages: SseMessage[] = [];
  for await (const message of readSse(chunks)) messages.push(message);
  return messages;
}
