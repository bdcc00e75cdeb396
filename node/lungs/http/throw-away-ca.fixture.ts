/** A certificate authority that lives as long as a test, and a server's certificate of it. Made by openssl; node:crypto makes none. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ThrowAwayCa {
  /** a file, as NODE_EXTRA_CA_CERTS takes it */
  readonly file: string;
  readonly pem: string;
  /** for a server that is any of the names */
  readonly server: { readonly key: string; readonly cert: string };
  readonly end: () => void;
}

export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** @param names as certificates say them: `DNS:member.test`, `IP:127.0.0.1` */
export function throwAwayCa(names: readonly string[]): ThrowAwayCa {
  const dir = mkdtempSync(join(tmpdir(), 'aethel-ca-'));
  const at = (name: string): string => join(dir, name);
  const openssl = (line: string): void => {
    execFileSync('openssl', line.split(' '), { cwd: dir, stdio: 'ignore' });
  };
  const newKey = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  openssl(`req -x509 ${newKey} -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca`);
  openssl(`req ${newKey} -keyout server.key -out server.csr -subj /CN=member`);
  writeFileSync(at('names'), `subjectAltName=${names.join(',')}\n`);
  openssl(
    'x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem',
  );
  const read = (name: string): string => readFileSync(at(name), 'utf8');
  return {
    file: at('ca.pem'),
    pem: read('ca.pem'),
    server: { key: read('server.key'), cert: read('server.pem') },
    end: () => rmSync(dir, { recursive: true, force: true }),
  };
}
