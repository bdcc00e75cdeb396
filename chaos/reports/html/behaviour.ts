/**
 * What a report does: it speaks the reader's language, shows the time under the pointer, and shows on the timeline what is
 * clicked in a table. It only ever reads numbers and sets attributes; no text of the run goes through it.
 */
export const BEHAVIOUR = `
const page = document.documentElement;
const speak = (language) => {
  page.dataset.lang = language;
  page.lang = language;
  for (const button of document.querySelectorAll('[data-speak]'))
    button.setAttribute('aria-pressed', String(button.dataset.speak === language));
};
const asked = new URLSearchParams(location.search).get('lang') ?? navigator.language ?? 'en';
speak(asked.toLowerCase().startsWith('pt') ? 'pt-BR' : 'en');
for (const button of document.querySelectorAll('[data-speak]')) button.addEventListener('click', () => speak(button.dataset.speak));

const lanes = document.getElementById('lanes');
const cursor = document.getElementById('cursor');
if (lanes !== null && cursor !== null) {
  const { from, to, left, right } = Object.fromEntries(Object.entries(lanes.dataset).map(([name, text]) => [name, Number(text)]));
  const show = (at) => {
    const x = left + ((Math.min(Math.max(at, from), to) - from) / (to - from)) * (right - left);
    cursor.setAttribute('transform', 'translate(' + x + ' 0)');
    cursor.setAttribute('visibility', 'visible');
    cursor.querySelector('text').textContent = (at / 1000).toFixed(2) + ' s';
  };
  lanes.addEventListener('pointermove', (event) => {
    const box = lanes.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * lanes.viewBox.baseVal.width;
    if (x >= left && x <= right) show(from + ((x - left) / (right - left)) * (to - from));
  });
  for (const jump of document.querySelectorAll('button.jump')) jump.addEventListener('click', () => {
    show(Number(jump.dataset.at));
    lanes.scrollIntoView({ block: 'center', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
  });
}
`;
