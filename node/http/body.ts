/**
 * A request's body: `application/json` in UTF-8, uncompressed, bounded, and parsed without loss. What is wrong with the
 * headers is told before a byte of body is read.
 */
import type { IncomingMessage } from 'node:http';
import { parseJsonExactly, type ExactJson } from './json.ts';
import { HttpProblem } from './problems.ts';

const JSON_TYPE = /^application\/json *(; *charset="?utf-8"?)? *$/i;

/** @throws HttpProblem, or rejects with it; when the client breaks off, nobody is left to be answered */
export function readJson(request: IncomingMessage, bytesMax: number): Promise<ExactJson> {
  const type = request.headers['content-type'] ?? '';
  if (type !== 'application/json' && !JSON_TYPE.test(type)) {
    throw new HttpProblem('unsupported-media-type', 'The body must be application/json in UTF-8.');
  }
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new HttpProblem('unsupported-media-type', 'Send the body without Content-Encoding.');
  }
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  return readBytes(request, bytesMax).then(parsed);
}

function parsed(bytes: Uint8Array): ExactJson {
  if (bytes.length === 0) throw new HttpProblem('bad-request', 'The body is empty.');
  return parseJsonExactly(bytes);
}

function readBytes(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  let chunks: Buffer[] = [];
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= bytesMax) chunks.push(chunk);
    else {
      chunks = [];
      request.pause();
      reject(tooLarge(bytesMax));
    }
  });
  request.on('end', () =>
    resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
  );
  request.on('error', () => reject(new HttpProblem('bad-request', 'The body broke off.')));
  return promise;
}

/** Nobody waits for the rest: the connection ends with the answer. */
function tooLarge(bytesMax: number): HttpProblem {
  return new HttpProblem(
    'too-large',
    `The body is larger than ${bytesMax} bytes, the most this node accepts.`,
    {
      headers: { Connection: 'close' },
    },
  );
}
