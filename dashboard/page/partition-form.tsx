/** Two sides by choosing; the line across the graph is the other way. */
import { useState } from 'preact/hooks';
import { usePage } from './page-context.ts';

export function PartitionForm(props: {
  readonly names: readonly string[];
  readonly draw: () => void;
  readonly close: () => void;
}) {
  const { names, draw, close } = props;
  const { words, act } = usePage();
  const [left, setLeft] = useState<ReadonlySet<string>>(
    new Set(names.slice(0, Math.floor(names.length / 2))),
  );
  const right = names.filter((name) => !left.has(name));
  const toggle = (name: string): void => {
    const next = new Set(left);
    if (!next.delete(name)) next.add(name);
    setLeft(next);
  };
  return (
    <div class="form">
      <p class="quiet" id="sides">
        {words.sides}
      </p>
      <div class="sides" role="group" aria-labelledby="sides">
        {names.map((name) => (
          <button key={name} type="button" class="chip" onClick={() => toggle(name)}>
            {name} <b>{words.side(left.has(name) ? 0 : 1)}</b>
          </button>
        ))}
      </div>
      <div class="button-row">
        <button
          type="button"
          class="button is-primary"
          disabled={left.size === 0 || right.length === 0}
          onClick={() => {
            void act({ do: 'partition', groups: [[...left], right], lung: 'both' });
            close();
          }}
        >
          {words.apply}
        </button>
        <button
          type="button"
          class="button"
          onClick={() => {
            close();
            draw();
          }}
        >
          {words.draw}
        </button>
        <button type="button" class="button is-quiet" onClick={close}>
          {words.cancel}
        </button>
      </div>
    </div>
  );
}
