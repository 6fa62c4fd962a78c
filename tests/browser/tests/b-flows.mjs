// O14: tasks are made and watched, plugins managed, tools called, all by hand and live.

import assert from 'node:assert/strict';

import { NARROW, WIDE } from '../harness/browser.mjs';

const SIZES = { wide: WIDE, narrow: NARROW };

/** The test at both sizes. */
function both(name, test) {
  return Object.entries(SIZES).map(([word, viewport]) => [
    `${name}, ${word}`,
    (world) => test({ ...world, open: (place, options) => world.open(place, { viewport, ...options }) }, word),
  ]);
}

const card = (page, title) => page.locator('.card', { has: page.getByRole('heading', { name: title, exact: true }) });

async function callByForm({ open }) {
  const page = await open('#/tools');
  await page.getByPlaceholder('Search tools').fill('status');
  await page.getByRole('link', { name: 'ops__status' }).click();
  const form = card(page, 'Try it');
  await form.getByRole('button', { name: 'Call' }).click();
  await form.getByText('This must be filled in.').first().waitFor();
  await form.getByLabel('service').fill('billing');
  await form.getByLabel('minutes').fill('90');
  await form.getByRole('button', { name: 'Call' }).click();
  await form.getByText('At most 60.').waitFor();
  await form.getByLabel('minutes').fill('7');
  await form.getByLabel('level').selectOption({ label: 'high' });
  await form
    .getByRole('group', { name: /^hosts/ })
    .getByRole('button', { name: 'Add' })
    .click();
  await form.getByLabel('hosts, entry 1').fill('a1');
  await form.getByLabel('memory').check();
  await form.getByLabel('verbose').selectOption({ label: 'yes' });
  await form.getByRole('button', { name: 'Call' }).click();
  const answer = card(page, 'Result');
  await answer.getByText('ok', { exact: true }).waitFor();
  const shown = JSON.parse(await answer.getByLabel('Structured content').innerText());
  assert.deepEqual(shown, {
    service: 'billing',
    window: { minutes: 7 },
    level: 'high',
    hosts: ['a1'],
    kinds: ['memory'],
    verbose: true,
  });

  await form.getByRole('button', { name: 'JSON' }).click();
  const area = form.getByLabel('Arguments as JSON');
  assert.deepEqual(JSON.parse(await area.inputValue()), shown);
  await area.fill('{"service": "search", "window": {"minutes": 1}, "extra": {"n": 1}}');
  await area.press('Control+Enter');
  await answer.getByText('"search"').first().waitFor();
}

async function seePicture({ open }) {
  const page = await open('#/tools/ops__picture');
  await page.getByText('This tool takes no arguments.').waitFor();
  await page.getByRole('button', { name: 'Call' }).click();
  const canvas = page.locator('.picture canvas');
  await canvas.waitFor();
  const point = await canvas.evaluate((element) => [...element.getContext('2d').getImageData(0, 0, 1, 1).data]);
  assert.ok(point[0] > 200 && point[3] === 255, String(point));
}

async function stopAndStart({ open, gateway }) {
  const page = await open('#/plugins');
  const row = page.locator('tr', { has: page.getByRole('link', { name: 'clock', exact: true }) });
  await row.getByText('active').waitFor();
  await row.getByRole('button', { name: 'Stop' }).click();
  await row.getByText('stopped').waitFor();
  assert.equal((await gateway.ask('POST', '/api/tools/clock__now', {})).status >= 400, true);
  await row.getByRole('button', { name: 'Start' }).click();
  await row.getByText('active').waitFor();
  assert.equal((await gateway.ask('POST', '/api/tools/clock__now', {})).status, 200);
}

async function task({ open }, word) {
  const page = await open('#/tasks');
  await page.getByRole('link', { name: 'New task' }).click();
  await page.getByLabel('Tool').selectOption('hash.sha256');
  await page.getByLabel('Name', { exact: true }).fill(`Digest, ${word}`);
  await page.getByLabel('data').fill('abc');
  await page.getByRole('button', { name: 'Make the task' }).click();
  await page.getByRole('heading', { name: `Digest, ${word}` }).waitFor();
  await page.locator('.page-title').getByText('done', { exact: true }).waitFor();
  await card(page, 'Latest result').getByText('ba7816bf').first().waitFor();
  await card(page, 'Runs').getByText('ok', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'Tasks' }).last().click();
  await page
    .getByRole('link', { name: `Digest, ${word}` })
    .first()
    .waitFor();
}

async function repeatedTask({ open }, word) {
  const page = await open('#/tasks/new?tool=echo__echo');
  await page.getByLabel('Name', { exact: true }).fill(`Again, ${word}`);
  await page.getByRole('button', { name: 'Again and again' }).click();
  await page.getByLabel('Interval').fill('1');
  await page.getByLabel('Unit').selectOption({ label: 'seconds' });
  await page.getByRole('button', { name: 'Make the task' }).click();
  await page.getByRole('heading', { name: `Again, ${word}` }).waitFor();
  await card(page, 'Runs').getByText('#2', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.locator('.page-title').getByText('cancelled', { exact: true }).waitFor();
}

async function approve({ open, gateway }, word) {
  const page = await open('#/approvals');
  const service = word === 'wide' ? 'billing' : 'search';
  const call = { service, force: word === 'wide' };
  const first = gateway.ask('POST', '/api/tools/ops__restart', call);
  const question = page
    .locator('.question', { hasText: `"force": ${call.force}` })
    .filter({ hasText: service })
    .first();
  await question.getByLabel('Reason').fill('it hangs');
  await question.getByRole('button', { name: 'Approve' }).click();
  const decided = card(page, 'Decided').locator('tr', { hasText: 'it hangs' });
  await decided
    .first()
    .getByText(/approved/)
    .waitFor();
  // The call goes on if it still waits; else the same call uses what was given.
  let done = await first;
  if (done.status !== 200) {
    done = await gateway.ask('POST', '/api/tools/ops__restart', call);
  }
  assert.match(done.text, new RegExp(`Restarted ${service}`));
}

async function declineIt({ open, gateway }) {
  const page = await open('#/approvals');
  const call = gateway.ask('POST', '/api/tools/ops__restart', { service: 'search' });
  // Another one waits since the sections were opened.
  const question = page.locator('.question', { hasNotText: 'true' }).first();
  await question.getByLabel('Reason').fill('not now');
  await question.getByRole('button', { name: 'Decline' }).click();
  await card(page, 'Decided').getByText('not now').first().waitFor();
  const { status, text } = await call;
  assert.ok(status !== 200 || text.includes('"isError":true'), text);
}

async function eventsLive({ open, gateway }, word) {
  const page = await open('#/events');
  await page.locator('.live', { hasText: 'Live' }).waitFor();
  await gateway.ask('POST', `/api/events/try.${word}`, { from: 'a script' });
  await page.locator('.event', { hasText: `try.${word}` }).waitFor();
  await page.getByLabel('Topic', { exact: true }).last().fill(`hand.${word}`);
  await page.getByLabel('Payload', { exact: true }).last().fill('{"n": 1}');
  await page.getByRole('button', { name: 'Publish' }).click();
  const event = page.locator('.event', { hasText: `hand.${word}` });
  await event.waitFor();
  await event.locator('summary').click();
  await event.getByText('"n"').last().waitFor();
}

async function callsLive({ open, gateway }) {
  const page = await open('#/calls');
  await page.locator('.live', { hasText: 'Live' }).waitFor();
  await page.getByPlaceholder('Tool, by its whole name').fill('hash.sha256');
  await page.waitForURL(/tool=hash/);
  await page.locator('.live', { hasText: 'Live' }).waitFor();
  const rows = page.locator('tbody tr');
  const newest = () => document.querySelector('tbody a[href^="#/calls/"]')?.getAttribute('href');
  const before = await page.evaluate(newest);
  await gateway.ask('POST', '/api/tools/hash.sha256', { data: 'live' });
  await page.waitForFunction((old) => {
    const now = document.querySelector('tbody a[href^="#/calls/"]')?.getAttribute('href');
    return now && now !== old;
  }, before);
  assert.equal(await rows.filter({ hasText: 'echo__echo' }).count(), 0);
  await rows.first().getByRole('link', { name: 'hash.sha256' }).click();
  await card(page, 'Record').getByText('answered').waitFor();
  await card(page, 'Arguments').getByText('"live"').waitFor();
  await page.getByRole('button', { name: 'Replay' }).click();
  await card(page, 'Result of the replay').getByText('sha256').first().waitFor();
}

async function incident({ open, gateway }, word) {
  const page = await open('#/incidents');
  await page.getByRole('button', { name: 'Open an incident' }).click();
  await page.getByLabel('What is it about?').fill(`Trouble, ${word}`);
  await page.getByRole('dialog').getByRole('button', { name: 'Open', exact: true }).click();
  await page.getByRole('heading', { name: `Trouble, ${word}` }).waitFor();
  const id = decodeURIComponent(new URL(page.url()).hash.split('/').at(-1));
  await gateway.ask('POST', '/api/tools/echo__echo', { text: 'x' }, { 'Toolgate-Incident': id });
  await page.locator('.timeline').getByText('echo__echo').waitFor();
  await page.getByLabel('Note', { exact: true }).fill('It was the cable.');
  await page.getByRole('button', { name: 'Add the note' }).click();
  await page.locator('.timeline').getByText('It was the cable.').waitFor();
  await page.getByRole('button', { name: 'Close', exact: true }).first().click();
  await page.getByRole('button', { name: 'Close it' }).click();
  await page.locator('.page-title').getByText('closed').waitFor();
}

async function switchTool({ open, gateway }) {
  const page = await open('#/tools');
  const toggle = page.getByRole('switch', { name: 'clock__now' });
  const listed = async () => (await gateway.ask('GET', '/api/tools')).text.includes('"clock__now"');
  await toggle.uncheck({ force: true });
  await page
    .locator('tr', { has: page.getByRole('link', { name: 'clock__now' }) })
    .getByText('off', { exact: true })
    .waitFor();
  assert.equal(await listed(), false);
  await toggle.check({ force: true });
  await page
    .locator('tr', { has: page.getByRole('link', { name: 'clock__now' }) })
    .getByText('off', { exact: true })
    .waitFor({ state: 'detached' });
  assert.equal(await listed(), true);
}

async function settings({ open, gateway }, word) {
  const page = await open('#/settings/ops');
  const wanted = word === 'wide' ? '4' : '5';
  await page.getByLabel('retries').fill(wanted);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.setting', { hasText: 'retries' }).getByText('changed here').waitFor();
  const now = (await gateway.ask('GET', '/api/config/ops')).text;
  assert.match(now, new RegExp(`"retries":${wanted}`));
  assert.ok(!now.includes('hunter2') && !(await page.content()).includes('hunter2'));
  await page.locator('.setting', { hasText: 'retries' }).getByRole('button', { name: 'Give back' }).click();
  await page.locator('.setting', { hasText: 'retries' }).getByText('changed here').waitFor({ state: 'detached' });
}

export const tests = Object.fromEntries([
  ...both('a tool is called through its form', callByForm),
  ...both('an image of a result is shown', seePicture),
  ...both('a plugin is stopped and started', stopAndStart),
  ...both('a task is made and seen to finish', task),
  ...both('a repeated task is watched and cancelled', repeatedTask),
  ...both('an approval is granted', approve),
  ...both('an approval is declined', declineIt),
  ...both('a published event appears', eventsLive),
  ...both('calls are filtered, appear, and are looked at', callsLive),
  ...both('an incident is opened, noted, and closed', incident),
  ...both('a tool is switched off and on', switchTool),
  ...both('a setting is changed and given back', settings),
]);
