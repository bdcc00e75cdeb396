/**
 * The reading side of server-sent events, for watchers that are no browser.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */

export interface SseMessage {
  /** `message` where the stream named none */
  readonly name: string;
  readonly data: string;
}

/** Longest unfinished line, and longest message: a stream beyond it is broken off. */
export const SSE_CHARACTERS_MAX = 4_194_304;

/** Throws RangeError when a message grows beyond `SSE_CHARACTERS_MAX`. */
export async function* readSse(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<SseMessage> {
  const decoder = new TextDecoder();
  let rest = '';
  let name = '';
  let data: string[] = [];
  let dataCharacters = 0;
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    // A carriage return at the very end may be half of a line end: it waits for the next chunk.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { name: name === '' ? 'message' : name, data: data.join('\n') };
        name = '';
        data = [];
        dataCharacters = 0;
        continue;
      }
      const [field, value] = fieldOf(line);
      if (field === 'event') name = value;
      if (field === 'data') {
        data.push(value);
        dataCharacters += value.length;
      }
    }
    if (rest.length > SSE_CHARACTERS_MAX || dataCharacters > SSE_CHARACTERS_MAX) {
      throw new RangeError(`a server-sent event of more than ${SSE_CHARACTERS_MAX} characters`);
    }
  }
}

/** A line that starts with a colon is a comment: a field without a name. */
function fieldOf(line: string): readonly [string, string] {
  const colon = line.indexOf(':');
  if (colon < 0) return [line, ''];
  const value = line.slice(colon + 1);
  return [line.slice(0, colon), value.startsWith(' ') ? value.slice(1) : value];
}
