// Reads a stream of server-sent events as the HTML standard describes it, from chunks of text.

/** Gives `tell({ event, id, data })` each event of the chunks that are pushed. */
export function parser(tell) {
  let rest = '';
  let event = '';
  let data = [];
  let id;

  const line = (text) => {
    if (text === '') {
      if (data.length) {
        tell({ event: event || 'message', id, data: data.join('\n') });
      }
      event = '';
      data = [];
      return;
    }
    if (text.startsWith(':')) {
      return;
    }
    const colon = text.indexOf(':');
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') {
      event = value;
    } else if (name === 'data') {
      data.push(value);
    } else if (name === 'id' && !value.includes('\0')) {
      id = value;
    }
  };

  return (chunk) => {
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    lines.forEach(line);
  };
}
