/**
 * Ends the process now. `process.exit` alone waits for every thread of Node's pool, and one of them may be inside a call that does not
 * return: `getaddrinfo` with a resolver that never answers (10 s by glibc's defaults, and again for each that queues behind it), or a
 * write to a disk that hangs. Where such a call is under way the process becomes a program that does nothing but exit: to the
 * kernel that ends the other threads at once, and the exit code is the one that was meant (ADR 27).
 */
export function endProcess(code: number): never {
  const waits = process.getActiveResourcesInfo().some((name) => POOLED.includes(name));
  if (waits && process.platform === 'linux' && process.execve !== undefined) {
    process.execve('/proc/self/exe', [process.execPath, '--eval', `process.exit(${code})`], {});
  }
  process.exit(code);
}

/** What threads of the pool do for this program, as Node names it. */
const POOLED = ['GetAddrInfoReqWrap', 'GetNameInfoReqWrap', 'FSReqCallback', 'FSReqPromise'];
