// S36: what plugins and clients say is text, wherever the page shows it. S04: the token is in a header and nowhere else.

import assert from 'node:assert/strict';

import { Gateway } from '../harness/gateway.mjs';

const ATTACK = '<img src=x onerror="document.title=\'attacked\'"><script>alert(1)</script>';

/** Nothing of it has become an element, and nothing ran. Complaints of the page fail the test as everywhere. */
async function unharmed(page) {
  const found = await page.evaluate(() => ({
    images: [...document.querySelectorAll('img')].map((image) => image.getAttribute('src')),
    scripts: [...document.scripts].map((script) => script.getAttribute('src')),
    handlers: [...document.querySelectorAll('*')]
      .filter((element) => [...element.attributes].some(({ name }) => name.startsWith('on') || name === 'style'))
      .map((element) => element.tagName),
    links: [...document.querySelectorAll('a')].map((link) => link.href).filter((href) => !/^(http|blob)/.test(href)),
    title: document.title,
  }));
  assert.deepEqual(
    found.images.filter((src) => src !== 'favicon.svg'),
    [],
  );
  assert.deepEqual(found.scripts, ['js/first-paint.js', 'js/main.js']);
  assert.deepEqual(found.handlers, []);
  assert.deepEqual(found.links, []);
  assert.doesNotMatch(found.title, /attacked/);
}

/** The test with a gateway of its own that wants a token. Its page goes before the gateway does. */
async function guarded(open, place, test) {
  const gateway = await Gateway.start('guarded.toml');
  let page;
  try {
    page = await open(place, { url: gateway.url, allows: [/status of (401|403)/] });
    await test(page);
  } finally {
    await page?.context().close();
    await gateway.stop();
  }
}

export const tests = {
  async 'S36: names, descriptions, schemas and results of a tool are text'({ open }) {
    const page = await open('#/tools');
    await page.getByText(`Says ${ATTACK}`).waitFor();
    await unharmed(page);
    await page.getByRole('link', { name: 'ops__hostile' }).click();
    await page.getByRole('button', { name: 'Call' }).click();
    await page
      .getByText('"isError"')
      .or(page.locator('.card', { hasText: 'Result' }).getByText(ATTACK).first())
      .first()
      .waitFor();
    await page.locator('details.more > summary').evaluateAll((all) => all.forEach((one) => one.click()));
    await unharmed(page);
  },

  async 'S36: the log, the name and the settings of a plugin are text'({ open, gateway }) {
    await gateway.ask('POST', '/api/tools/ops__hostile', {});
    const page = await open('#/plugins');
    await page.getByText('Operations <img').first().waitFor();
    await unharmed(page);
    await page.getByRole('link', { name: 'ops', exact: true }).click();
    await page.locator('.log').getByText(ATTACK).first().waitFor();
    await unharmed(page);
  },

  async 'S36: events, tasks, incidents and notes are text'({ open, gateway }) {
    await gateway.ask('POST', '/api/events/attack.made', { [ATTACK]: ATTACK });
    await gateway.ask('POST', '/api/tasks', { name: ATTACK, tool: 'echo__echo', arguments: { text: ATTACK } });
    const { id } = (await gateway.ask('POST', '/api/incidents', { title: ATTACK })).json();
    await gateway.ask('POST', `/api/incidents/${id}/notes`, { text: ATTACK });
    const page = await open('#/events');
    await page.locator('.event', { hasText: 'attack.made' }).first().locator('summary').click();
    await unharmed(page);
    for (const place of ['#/tasks', '#/incidents', `#/incidents/${id}`]) {
      await page.evaluate((hash) => {
        window.location.hash = hash;
      }, place);
      await page.getByText(ATTACK).first().waitFor();
      await unharmed(page);
    }
  },

  async 'S36: the page forbids inline scripts, frames, and other places'({ gateway }) {
    const { headers, text } = await gateway.ask('GET', '/ext/webui/');
    const policy = headers.get('content-security-policy');
    assert.match(policy, /default-src 'self'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*|data:/);
    assert.equal(headers.get('x-frame-options'), 'DENY');
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('set-cookie'), null);
    assert.doesNotMatch(text, /<script(?![^>]* src=)|style=|onload=/);
  },

  async 'S04: a form cannot change anything'({ gateway }) {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const { status } = await gateway.ask('POST', '/api/v1/plugin/stop', { id: 'echo' }, { 'Content-Type': type });
      assert.equal(status, 415, type);
    }
  },

  async 'S04: the page asks for a token, keeps it in the tab, and sends it as a header'({ open }) {
    await guarded(open, '#/plugins', async (page) => {
      const sent = [];
      page.on('request', (request) => sent.push(request));
      await page.getByRole('dialog', { name: 'This gateway wants a token' }).waitFor();
      await page.locator('#token').fill('wrong');
      await page.getByRole('button', { name: 'Use it' }).click();
      await page.getByText('The token you gave is not known').waitFor();
      await page.locator('#token').fill('looks');
      await page.getByRole('button', { name: 'Use it' }).click();
      const row = page.locator('tr', { has: page.getByRole('link', { name: 'echo', exact: true }) });
      await row.waitFor();
      await row.getByRole('button', { name: 'Stop' }).click();
      await page
        .getByText(/scope.*admin/)
        .first()
        .waitFor();
      assert.deepEqual(await page.context().cookies(), []);
      assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes('looks')), false);
      assert.ok(sent.every((request) => !request.url().includes('looks')));
      assert.ok(sent.some((request) => request.headers().authorization === 'Bearer looks'));
      await page.reload();
      await row.waitFor();
      await page.getByRole('button', { name: 'Forget the token' }).click();
      await page.getByRole('dialog', { name: 'This gateway wants a token' }).waitFor();
    });
  },

  async 'without a token the page says so, and asks again when it is told to'({ open }) {
    await guarded(open, '#/tools', async (page) => {
      await page.getByRole('button', { name: 'Not now' }).click();
      await page.getByRole('button', { name: 'Give a token' }).first().click();
      await page.locator('#token').fill('looks');
      await page.getByRole('button', { name: 'Use it' }).click();
      await page.getByRole('link', { name: 'echo__echo' }).waitFor();
    });
  },
};
