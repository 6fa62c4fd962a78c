// Work that is asked for often and done seldom: what comes live may come a thousand times a second.

const SOON_MS = 120;

/** A function that does `work` a moment after it was called, once for all calls until then. */
export function soon(work) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      work();
    }, SOON_MS);
  };
}
