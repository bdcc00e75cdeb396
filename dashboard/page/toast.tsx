/** What the lab says against a command; gone by itself after a while. */
import { useEffect } from 'preact/hooks';
import { usePage } from './page-context.ts';

const SHOWN_MS = 8000;

export function Toast({ text, close }: { readonly text: string | null; readonly close: () => void }) {
  const { words } = usePage();
  useEffect(() => {
    if (text === null) return undefined;
    const timer = setTimeout(close, SHOWN_MS);
    return () => clearTimeout(timer);
  }, [text, close]);
  return (
    <div role="alert" class="toast-place">
      {text !== null && (
        <p class="toast">
          {text}
          <button type="button" class="button is-quiet" onClick={close}>
            {words.close}
          </button>
        </p>
      )}
    </div>
  );
}
