// An image of a result, painted on a canvas: no address is made for it, so the page's policy may forbid all but its own
// files, and nothing in it can run.

import { h, replace } from '../base/dom.js';

/** Shows it, or says why not. */
export function picture(base64, type) {
  const frame = h('figure.picture', h('p.faint', 'Reading the image…'));
  paint(base64, type).then(
    (canvas) => replace(frame, canvas, h('figcaption', `${type ?? 'image'}, ${canvas.width} × ${canvas.height}`)),
    () => replace(frame, h('p.alert.warn', `This image (${type ?? 'of no type'}) cannot be shown here.`)),
  );
  return frame;
}

async function paint(base64, type) {
  const bytes = Uint8Array.from(atob(base64 ?? ''), (character) => character.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type }));
  const canvas = h('canvas', {
    width: bitmap.width,
    height: bitmap.height,
    role: 'img',
    'aria-label': 'Image in the result',
  });
  canvas.getContext('2d').drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas;
}
