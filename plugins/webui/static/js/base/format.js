// Numbers, sizes and times as people read them.

const WHOLE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const ONE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const TWO = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const NONE = '–';

/** A count, or a dash where nothing is known. */
export function count(value) {
  return known(value) ? WHOLE.format(value) : NONE;
}

/** A number with as many digits as are worth reading. */
export function amount(value) {
  if (!known(value)) {
    return NONE;
  }
  const size = Math.abs(value);
  return (size >= 100 ? WHOLE : size >= 10 ? ONE : TWO).format(value);
}

/** A share of one, as per cent. */
export function percent(value) {
  return known(value) ? `${amount(value * 100)} %` : NONE;
}

/** How long something takes, from milliseconds. */
export function duration(ms) {
  if (!known(ms)) {
    return NONE;
  }
  if (ms < 1) {
    return `${TWO.format(ms)} ms`;
  }
  if (ms < 1000) {
    return `${amount(ms)} ms`;
  }
  return span(ms / 1000);
}

/** How long something lasts, from seconds: two units at most. */
export function span(seconds) {
  if (!known(seconds)) {
    return NONE;
  }
  if (seconds < 60) {
    return `${seconds < 10 ? ONE.format(seconds) : WHOLE.format(seconds)} s`;
  }
  const units = [
    ['d', 86400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ];
  const at = units.findIndex(([, size]) => seconds >= size);
  const [name, size] = units[at];
  const whole = Math.floor(seconds / size);
  const [nextName, nextSize] = units[at + 1];
  const rest = Math.floor((seconds - whole * size) / nextSize);
  return rest ? `${whole} ${name} ${rest} ${nextName}` : `${whole} ${name}`;
}

/** Bytes, in powers of 1024. */
export function bytes(value) {
  if (!known(value)) {
    return NONE;
  }
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = value;
  let at = 0;
  while (size >= 1024 && at < units.length - 1) {
    size /= 1024;
    at += 1;
  }
  return `${at ? amount(size) : WHOLE.format(size)} ${units[at]}`;
}

/** A number and its noun: `3 tools`. */
export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `snake_case` words of the interface as words. */
export function words(text) {
  return String(text ?? '').replaceAll('_', ' ');
}

function known(value) {
  return typeof value === 'number' && Number.isFinite(value);
}
