// Events: what is published on which topic, live, and publishing one.

import { get, post } from '../base/api.js';
import { h, keyed, replace } from '../base/dom.js';
import { count } from '../base/format.js';
import { soon } from '../base/soon.js';
import { clock } from '../base/time.js';
import { filters } from '../parts/filters.js';
import { card, cardWith, facts, head } from '../parts/head.js';
import { icon } from '../parts/icons.js';
import { json } from '../parts/json.js';
import { liveMark } from '../parts/live.js';
import { state } from '../parts/marks.js';
import { region } from '../parts/region.js';
import { empty } from '../parts/states.js';
import { table } from '../parts/table.js';
import { done } from '../parts/toast.js';

const MOST = 200;

export default {
  title: 'Events',
  open(page) {
    const wanted = { topic: page.query.topic ?? '' };
    const live = liveMark();
    const list = h('ul.event-list');
    const none = h(
      'div',
      empty('Nothing was published yet. Publish an event, or call a tool: the gateway tells of that, too.'),
    );
    let events = [];
    let tail = null;
    const show = () => {
      none.hidden = events.length > 0;
      keyed(list, events, ({ id }) => id, entry);
    };
    const showSoon = soon(show);
    const add = (event) => {
      if (!events.some(({ id }) => id === event.id)) {
        events = [event, ...events].slice(0, MOST);
        showSoon();
      }
    };
    const follow = () => {
      tail?.abort();
      tail = new AbortController();
      const query = { topic: wanted.topic };
      page.follow('/api/events/stream', {
        query,
        signal: tail.signal,
        onEvent: add,
        onMissed: load,
        onState: live.show,
      });
    };
    const load = async () => {
      try {
        const answer = await get('/api/events', { topic: wanted.topic, limit: 50 }, page.signal);
        const known = new Set(events.map(({ id }) => id));
        events = [...events, ...answer.events.filter(({ id }) => !known.has(id))].slice(0, MOST);
      } catch {
        // What is kept is not to be had; what comes is shown all the same.
      }
      show();
    };
    const topic = h('input', {
      type: 'search',
      value: wanted.topic,
      placeholder: 'Topic, such as toolgate.*',
      'aria-label': 'Topic',
      spellcheck: 'false',
      autocomplete: 'off',
      data: { search: '' },
    });
    topic.addEventListener('change', () => {
      wanted.topic = topic.value.trim();
      page.setQuery(wanted);
      events = [];
      show();
      load();
      follow();
    });
    const clear = h(
      'button.small.quiet',
      {
        type: 'button',
        on: {
          click: () => {
            events = [];
            show();
          },
        },
      },
      'Clear',
    );
    replace(
      page.root,
      head({ title: 'Events', text: 'What plugins and the gateway tell each other.', marks: live.element }),
      filters(h('div.search', icon('search'), topic, h('kbd', '/'))),
      h(
        'div.columns.wide-left',
        cardWith('Stream', clear, none, list),
        h(
          'div.stack-wide',
          card('Publish', publishForm()),
          card('Delivery', status(page)),
          card('Not delivered', dead(page)),
        ),
      ),
    );
    load();
    follow();
  },
};

function entry(event) {
  return h(
    'li',
    h(
      'details.event',
      h(
        'summary',
        clock(event.time),
        h('span.event-topic.mono', event.topic),
        h('span.faint.event-source', event.source ?? ''),
        h('span.event-short.mono', JSON.stringify(event.payload)),
      ),
      h('div.event-body', json(event.payload, { label: 'Payload' }), h('p.sub.break', event.id)),
    ),
  );
}

function publishForm() {
  const topic = h('input', {
    id: 'publish-topic',
    type: 'text',
    required: true,
    spellcheck: 'false',
    placeholder: 'deploy.finished',
  });
  const payload = h('textarea.mono', { id: 'publish-payload', rows: '4', spellcheck: 'false', value: '{}' });
  const said = h('p.complaint', { role: 'alert', hidden: true });
  const refuse = (text) => {
    said.textContent = text;
    said.hidden = !text;
  };
  const publish = async (event) => {
    event.preventDefault();
    refuse('');
    if (!topic.value.trim()) {
      refuse('Name a topic.');
      topic.focus();
      return;
    }
    let value;
    try {
      value = JSON.parse(payload.value.trim() || 'null');
    } catch {
      refuse('The payload is not JSON.');
      payload.focus();
      return;
    }
    try {
      await post(`/api/events/${encodeURIComponent(topic.value.trim())}`, value);
      done(`Published on ${topic.value.trim()}`);
    } catch (error) {
      refuse(error.message);
    }
  };
  const form = h(
    'form',
    { novalidate: true, on: { submit: publish } },
    h('div.field', h('label', { for: 'publish-topic' }, 'Topic'), topic),
    h('div.field', h('label', { for: 'publish-payload' }, 'Payload'), payload),
    said,
    h('div.form-foot', h('button.primary', { type: 'submit' }, icon('broadcast'), h('span', 'Publish'))),
  );
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      form.requestSubmit();
    }
  });
  return form;
}

function status(page) {
  const subscriptions = table({
    columns: [
      {
        label: 'Topic',
        kind: 'main',
        cell: ({ topic, plugin, group }) => [h('span.mono', topic), h('div.sub', plugin ?? group)],
      },
      { label: 'Waiting', kind: 'num', cell: ({ pending }) => count(pending) },
    ],
    key: ({ group, topic, plugin }) => `${group} ${topic} ${plugin}`,
    nothing: 'No plugin listens.',
    caption: 'Subscriptions',
  });
  const numbers = h('div');
  return region(page, {
    ask: (signal) => get('/api/events/status', {}, signal),
    every: 3000,
    lines: 4,
    draw(now, content) {
      if (!content.children.length) {
        replace(content, numbers, subscriptions.element);
      }
      replace(
        numbers,
        facts([
          ['Carried by', state(now.backend, now.healthy ? 'ok' : 'bad')],
          ['Published', count(now.published)],
          ['Delivered', count(now.delivered)],
          ['Again', now.redelivered ? count(now.redelivered) : null],
          ['Waiting to go out', now.outbox ? count(now.outbox) : null],
          ['Lost', now.dropped ? h('span.bad-text', count(now.dropped)) : null],
          ['Trouble', now.error ? h('span.bad-text', now.error) : null],
        ]),
      );
      subscriptions.show(now.subscriptions ?? []);
    },
  }).element;
}

function dead(page) {
  return region(page, {
    ask: (signal) => get('/api/events/dead', {}, signal),
    every: 10_000,
    lines: 2,
    draw({ events }, content) {
      if (!events.length) {
        replace(content, empty('Every event found its hearers.'));
        return;
      }
      const list = content.querySelector('ul') ?? h('ul.event-list');
      keyed(
        list,
        events,
        ({ id, group }) => `${id} ${group}`,
        (event) =>
          h(
            'li',
            h(
              'details.event',
              h(
                'summary',
                clock(event.time),
                h('span.event-topic.mono', event.topic),
                h('span.faint', `${event.group}, ${count(event.deliveries)} tries`),
              ),
              h('div.event-body', event.error ? h('p.bad-text.lines', event.error) : null, json(event.payload)),
            ),
          ),
      );
      if (!list.isConnected) {
        replace(content, list);
      }
    },
  }).element;
}
