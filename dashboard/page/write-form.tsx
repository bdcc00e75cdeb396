/** One value, on one node, by hand. */
import { useState } from 'preact/hooks';
import { usePage } from './page-context.ts';

export function WriteForm({
  names,
  close,
}: {
  readonly names: readonly string[];
  readonly close: () => void;
}) {
  const { words, act, selected } = usePage();
  const [node, setNode] = useState(selected ?? names[0] ?? '');
  const [key, setKey] = useState('greeting');
  const [value, setValue] = useState('');
  return (
    <form
      class="form write-form"
      onSubmit={(event) => {
        event.preventDefault();
        void act({ do: 'write', node, key, value });
        close();
      }}
    >
      <label>
        {words.node}
        <select value={node} onChange={(event) => setNode(event.currentTarget.value)}>
          {names.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        {words.key}
        <input required maxLength={200} value={key} onInput={(event) => setKey(event.currentTarget.value)} />
      </label>
      <label>
        {words.value}
        <input
          required
          maxLength={1000}
          value={value}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      </label>
      <div class="button-row">
        <button type="submit" class="button is-primary">
          {words.write.replace(' …', '')}
        </button>
        <button type="button" class="button is-quiet" onClick={close}>
          {words.cancel}
        </button>
      </div>
    </form>
  );
}
