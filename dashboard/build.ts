/**
 * The page as files in memory, built by Vite from dashboard/page. A build is kept under the hash of everything it is made
 * of, so that only the first start after a change pays for it, and a start never shows an older page.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';

interface PageFile {
  readonly type: string;
  readonly body: Buffer;
}

/** by path: `/index.html`, `/assets/…` */
export type PageFiles = ReadonlyMap<string, PageFile>;

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = path.join(HERE, '..');
const BUILDS = path.join(ROOT, 'dist/page');
/** What the page imports; its packages are named by the lock file. */
const INGREDIENTS = ['dashboard', 'node/protocol/ids.ts', 'node/protocol/events.ts', 'package-lock.json'];
const SCRIPT_GZIP_BYTES_MAX = 150_000;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Throws where the build fails, or its script grew beyond what a page may weigh. */
export async function buildPage(): Promise<PageFiles> {
  const directory = path.join(BUILDS, hashOfIngredients());
  if (!existsSync(directory)) {
    const fresh = `${directory}.${process.pid}`;
    const { build } = await import('vite');
    await build({
      configFile: path.join(HERE, 'vite.config.ts'),
      logLevel: 'warn',
      build: { outDir: fresh, emptyOutDir: true },
    });
    try {
      renameSync(fresh, directory);
    } catch {
      // Somebody else built the same meanwhile.
      rmSync(fresh, { recursive: true, force: true });
    }
  }
  const files = filesIn(directory);
  const scriptBytes = scriptGzipBytes(files);
  if (scriptBytes > SCRIPT_GZIP_BYTES_MAX)
    throw new RangeError(`the page's script weighs ${scriptBytes} bytes, at most ${SCRIPT_GZIP_BYTES_MAX}`);
  return files;
}

function scriptGzipBytes(files: PageFiles): number {
  let bytes = 0;
  for (const [name, { body }] of files) if (name.endsWith('.js')) bytes += gzipSync(body).length;
  return bytes;
}

function filesIn(directory: string): PageFiles {
  const files = new Map<string, PageFile>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const type = TYPES[path.extname(file)] ?? 'application/octet-stream';
    files.set(`/${path.relative(directory, file).replaceAll(path.sep, '/')}`, {
      type,
      body: readFileSync(file),
    });
  }
  return files;
}

function hashOfIngredients(): string {
  const hash = createHash('sha256');
  for (const name of INGREDIENTS) {
    const whole = path.join(ROOT, name);
    const files = name.includes('.')
      ? [whole]
      : readdirSync(whole, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
          .map((entry) => path.join(entry.parentPath, entry.name))
          .toSorted();
    for (const file of files) hash.update(`${path.relative(ROOT, file)}\n`).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}
