/** How large an element is, kept up to date: what is drawn into it needs to know. */
import { useEffect, useRef, useState } from 'preact/hooks';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** @param before until the element is there @returns what to give the element as its ref, and its size in CSS pixels */
export function useSize(before: Size) {
  const frame = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState(before);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() =>
      setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [frame, size] as const;
}
