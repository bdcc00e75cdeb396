/** Where the page begins. */
import { render } from 'preact';
import { App } from './app.tsx';
import { openRoom } from './store.ts';
import './styles.css';

const place = document.querySelector('#room');
if (place !== null) render(<App room={openRoom()} />, place);
