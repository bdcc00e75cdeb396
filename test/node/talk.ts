/** The plainest client there is: status and body, for what the lab's client hides (412, 503, 507). */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

const TIMEOUT_MS = 5_000;

/** Rejects where no whole answer came. */
export async function talk(
  url: string,
  method: 'GET' | 'PUT' | 'POST' | 'DELETE' = 'GET',
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const sent =
    body === undefined
      ? { headers }
      : { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
  const response = await fetch(url, { method, ...sent, signal: AbortSignal.timeout(TIMEOUT_MS) });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Readonly<Record<string, unknown>>,
  };
}

export function keyUrl(base: string, key: string): string {
  return `${base}/api/lattice/state/${encodeURIComponent(key)}`;
}
