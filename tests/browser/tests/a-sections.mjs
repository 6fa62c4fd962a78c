// Every section opens without a complaint, wide and narrow, light and dark; pictures of all are kept.

import assert from 'node:assert/strict';

import { NARROW, WIDE, picture } from '../harness/browser.mjs';

/** What the sections are opened with, made over plain HTTP so that none of them is empty. */
async function seed(gateway) {
  for (const words of ['one', 'two', 'three']) {
    await gateway.ask('POST', '/api/tools/echo__echo', { text: words });
    await gateway.ask('POST', '/api/tools/hash.sha256', { data: words });
  }
  await gateway.ask('POST', '/api/tools/echo__count', {});
  await gateway.ask('POST', '/api/tools/ops__status', { service: 'billing', window: { minutes: 3 } });
  await gateway.ask('POST', '/api/events/deploy.finished', { service: 'billing', version: '1.4.2' });
  const incident = (await gateway.ask('POST', '/api/incidents', { title: 'Billing answers slowly' })).json();
  await gateway.ask('POST', '/api/tools/echo__echo', { text: 'is it?' }, { 'Toolgate-Incident': incident.id });
  await gateway.ask('POST', `/api/incidents/${incident.id}/notes`, { text: 'It began with the deploy of 14:02.' });
  const task = (
    await gateway.ask('POST', '/api/tasks', {
      name: 'Digest',
      tool: 'hash.sha256',
      arguments: { data: 'x' },
      schedule: { kind: 'every', interval_ms: 3600000 },
    })
  ).json();
  const { calls } = (await gateway.ask('GET', '/api/calls?limit=1&tool=hash.sha256')).json();
  // It waits for an approval that nobody gives.
  gateway.ask('POST', '/api/tools/ops__restart', { service: 'search', force: true }).catch(() => {});
  return { incident: incident.id, task: task.id, call: calls[0].id };
}

let seeded;

async function sections(gateway) {
  seeded ??= seed(gateway);
  const { incident, task, call } = await seeded;
  return {
    overview: '#/',
    tools: '#/tools',
    tool: '#/tools/ops__status',
    tasks: '#/tasks',
    'task-new': '#/tasks/new?tool=ops__status',
    task: `#/tasks/${task}`,
    approvals: '#/approvals',
    events: '#/events',
    plugins: '#/plugins',
    plugin: '#/plugins/ops',
    calls: '#/calls',
    'denied-accesses': '#/calls/denied',
    call: `#/calls/${call}`,
    incidents: '#/incidents',
    incident: `#/incidents/${incident}`,
    settings: '#/settings',
    'settings-of-a-plugin': '#/settings/ops',
  };
}

async function openAll({ gateway, open }, viewport, scheme, word) {
  const all = await sections(gateway);
  const page = await open('#/', { viewport, scheme });
  for (const [name, place] of Object.entries(all)) {
    await page.evaluate((hash) => {
      window.location.hash = hash;
    }, place);
    await page.locator('main h1').first().waitFor();
    await page.locator('main .skeleton').first().waitFor({ state: 'detached' });
    assert.equal(
      await page.locator('main .state.bad').count(),
      0,
      `${name} shows a failure: ${await page.locator('main .state.bad').allInnerTexts()}`,
    );
    const wider = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.ok(wider <= 0, `${name} is ${wider} px wider than the screen`);
    await picture(page, `${name}-${word}-${scheme}`);
  }
}

export const tests = {
  'all open, wide and light': (world) => openAll(world, WIDE, 'light', 'wide'),
  'all open, wide and dark': (world) => openAll(world, WIDE, 'dark', 'wide'),
  'all open, narrow and light': (world) => openAll(world, NARROW, 'light', 'narrow'),
  'all open, narrow and dark': (world) => openAll(world, NARROW, 'dark', 'narrow'),

  async 'none overflows at 360 px'({ gateway, open }) {
    const page = await open('#/', { viewport: { width: 360, height: 740 } });
    for (const [name, place] of Object.entries(await sections(gateway))) {
      await page.evaluate((hash) => {
        window.location.hash = hash;
      }, place);
      await page.locator('main .skeleton').first().waitFor({ state: 'detached' });
      const wider = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.ok(wider <= 0, `${name} is ${wider} px wider than the screen`);
    }
  },

  async 'the colours can be chosen, and the choice stays'({ open }) {
    const page = await open('#/', { scheme: 'light' });
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    await page.getByRole('button', { name: 'Colours: system' }).click();
    await page.getByRole('button', { name: 'Colours: light' }).click();
    await page.getByRole('button', { name: 'Colours: dark' }).waitFor();
    assert.notEqual(await ground(), light);
    await page.reload();
    await page.getByRole('button', { name: 'Colours: dark' }).waitFor();
    assert.notEqual(await ground(), light);
  },

  async 'what the page shows keeps the contrast of WCAG AA'({ gateway, open }) {
    for (const scheme of ['light', 'dark']) {
      const page = await open('#/', { scheme });
      for (const [name, place] of Object.entries(await sections(gateway))) {
        await page.evaluate((hash) => {
          window.location.hash = hash;
        }, place);
        await page.locator('main .skeleton').first().waitFor({ state: 'detached' });
        const weak = await page.evaluate(weakText);
        assert.deepEqual(weak, [], `${name}, ${scheme}`);
      }
    }
  },
};

/** Runs in the page: texts whose colour is too near to what is behind them. */
function weakText() {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((part) =>
      part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) {
        return colour;
      }
    }
    return [255, 255, 255];
  };
  const weak = new Set();
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    const isSeen = element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (!own || !isSeen || element.matches(':disabled, option, [aria-busy="true"] *')) {
      continue;
    }
    const style = getComputedStyle(element);
    const [a, b] = [light(rgba(element instanceof SVGElement ? style.fill : style.color)), light(behind(element))].sort(
      (x, y) => y - x,
    );
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) {
      weak.add(`${element.tagName}.${element.getAttribute('class') ?? ''} ${ratio.toFixed(2)}`);
    }
  }
  return [...weak];
}
