import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from './logger.ts';
import type { LoggerOptions, NodeLogger } from './logger.ts';
import { FakeTarget } from './line-target.fixture.ts';

describe('pretty lines', () => {
  it('put the tag before the message and the facts after it', async () => {
    const lines = await logged('pretty', (log) => {
      log.info('P2P started successfully', { tag: 'STARTUP', port: 9000, to: 'a b' });
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z info  nodeA \[STARTUP\] P2P started successfully  port=9000 to="a b"$/,
    );
  });

  it('stay one line whatever is in them', async () => {
    const lines = await logged('pretty', (log) => log.warn('a\nb\u001b[31m\u202e', { x: 'c\r\nd\u2028' }));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('a\\u000ab\\u001b[31m\\u202e  x="c\\r\\nd\\u2028"');
  });

  it('leave out the event, which the message already tells', async () => {
    const [line] = await logged('pretty', (log) => log.info('moved', { event: { type: 'mode' } }));
    expect(line).toMatch(/moved$/);
  });
});

describe('json lines', () => {
  it("are JSON with every fact, the line's own names kept apart", async () => {
    const [line] = await logged('json', (log) => {
      log.error('write failed', {
        tag: 'STARTUP',
        level: 'mine',
        message: 'too',
        error: Object.assign(new Error('disk'), { code: 'EIO' }),
      });
    });
    expect(JSON.parse(String(line))).toMatchObject({
      level: 'error',
      node: 'nodeA',
      tag: 'STARTUP',
      message: 'write failed',
      level_: 'mine',
      message_: 'too',
      error: { message: 'disk', code: 'EIO' },
    });
  });

  it('survive what JSON cannot write', async () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    const [line] = await logged('json', (log) => {
      log.info('odd', {
        loop,
        big: 10n,
        bytes: new Uint8Array(3),
        run: () => 1,
        when: new Date(Number.NaN),
        none: undefined,
      });
    });
    expect(JSON.parse(String(line))).toMatchObject({ big: '10', bytes: '<3 bytes>', when: 'invalid date' });
  });
});

it.each(['pretty', 'json'] as const)('never writes a secret (%s)', async (format) => {
  const [line] = await logged(format, (log) => {
    log.info('config', {
      clusterKey: 'hunter2',
      AETHEL_API_TOKEN: 'hunter2',
      inner: { deep: [{ seed: 'hunter2', secret: { a: 'hunter2' }, private_key: 'hunter2' }] },
      Authorization: 'Bearer hunter2',
      publicKey: 'shown',
    });
  });
  expect(line).not.toContain('hunter2');
  expect(line).toContain('shown');
});

it.each(['pretty', 'json'] as const)(
  'writes the key of a record, which names it and opens nothing (%s)',
  async (format) => {
    const [line] = await logged(format, (log) =>
      log.error('lost', { record_key: 'orders/17', key: 'hunter2' }),
    );
    expect(line).toContain('orders/17');
    expect(line).not.toContain('hunter2');
  },
);

it('writes nothing below its level', async () => {
  const lines = await logged('pretty', (log) => log.debug('why'));
  expect(lines).toEqual([]);
});

it('takes no notice of lines that come after its close', async () => {
  const out = new FakeTarget('stdout');
  const log = createLogger({ level: 'info', format: 'pretty', file: null, node: 'nodeA', out });
  log.info('before');
  await log.close();
  log.error('after');
  expect(out.lines()).toHaveLength(1);
});

it('takes over level, format and file while it runs', async () => {
  const out = new FakeTarget('stdout');
  const log = createLogger({ level: 'info', format: 'pretty', file: null, node: 'nodeA', out });
  log.debug('silent');
  log.reload({ level: 'debug', format: 'json', file: null });
  log.debug('told');
  log.reload({ level: 'error', format: 'json', file: null });
  log.warn('silent');
  await log.close();
  expect(out.lines().map((line): unknown => JSON.parse(line))).toMatchObject([{ message: 'told' }]);
});

describe('a log file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'aethel-log-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  it('holds every line when close resolves, after those of the run before', async () => {
    const file = join(directory, 'new', 'node.log');
    for (const run of [1, 2]) {
      const log = createLogger({
        level: 'info',
        format: 'pretty',
        node: 'nodeA',
        file,
        out: new FakeTarget('stdout'),
      });
      for (let i = 0; i < 1000; i += 1) log.info('line', { run, i });
      await log.close();
    }
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(2000);
    expect(lines.at(-1)).toMatch(/line {2}run=2 i=999$/);
  });

  it('that cannot be written does not stop the node', async () => {
    const lines = await logged('pretty', (log) => log.info('still here'), { file: directory });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('still here');
    expect(lines[1]).toMatch(/warn .*log lines cannot be written {2}sink=file reason=failed code=EISDIR$/);
  });
});

async function logged(
  format: LoggerOptions['format'],
  write: (log: NodeLogger) => void,
  more: Partial<LoggerOptions> = {},
): Promise<readonly string[]> {
  const out = new FakeTarget('stdout');
  const log = createLogger({ level: 'info', format, file: null, node: 'nodeA', out, ...more });
  write(log);
  await log.close();
  return out.lines();
}
