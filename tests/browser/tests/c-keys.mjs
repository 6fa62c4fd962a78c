// The page without a mouse.

import assert from 'node:assert/strict';

import { NARROW } from '../harness/browser.mjs';

const focused = (page) =>
  page.evaluate(
    () =>
      document.activeElement?.textContent?.trim() ||
      document.activeElement?.getAttribute('aria-label') ||
      document.activeElement?.id,
  );

export const tests = {
  async 'a tool is found and called with keys alone'({ open }) {
    const page = await open('#/');
    await page.keyboard.press('g');
    await page.keyboard.press('t');
    await page.getByRole('heading', { name: 'Tools', level: 1 }).waitFor();
    await page.getByRole('link', { name: 'hash.sha256' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('sha');
    await page.getByText('1 of').waitFor();
    await page.keyboard.press('Tab');
    await page.locator('body').evaluate(() => document.activeElement.blur());
    await page.keyboard.press('j');
    assert.equal(await focused(page), 'hash.sha256');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'hash.sha256', level: 1 }).waitFor();
    await page.getByRole('button', { name: 'Call' }).waitFor();
    for (
      let at = 0;
      at < 30 &&
      (await page.evaluate(() => document.activeElement.tagName)) !== 'INPUT' &&
      (await page.evaluate(() => document.activeElement.tagName)) !== 'TEXTAREA';
      at += 1
    ) {
      await page.keyboard.press('Tab');
    }
    await page.keyboard.type('abc');
    await page.keyboard.press('Control+Enter');
    await page.getByText('ba7816bf').first().waitFor();
  },

  async 'a plugin is gone to by its name'({ open }) {
    const page = await open('#/');
    await page.keyboard.press('Control+k');
    await page.getByRole('option', { name: 'ops__status' }).waitFor();
    await page.keyboard.type('clock plugin');
    await page.getByRole('option', { name: 'clock Plugin' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'clock', level: 1 }).waitFor();
    await page.keyboard.press('Control+k');
    await page.getByRole('dialog', { name: 'Go to' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog', { name: 'Go to' }).waitFor({ state: 'detached' });
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  },

  async 'the first key goes past the navigation'({ open }) {
    const page = await open('#/');
    await page.keyboard.press('Tab');
    assert.equal(await focused(page), 'Skip to the content');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  },

  async 'the keys are listed, and Esc closes the list'({ open }) {
    const page = await open('#/plugins');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  },

  async 'every control that has the focus shows it'({ open }) {
    const page = await open('#/tools');
    await page.getByRole('link', { name: 'hash.sha256' }).waitFor();
    for (let at = 0; at < 40; at += 1) {
      await page.keyboard.press('Tab');
      const shown = await page.evaluate(() => {
        const active = document.activeElement;
        if (active === document.body) {
          return 'body';
        }
        const shows = (element) =>
          element &&
          getComputedStyle(element).outlineStyle !== 'none' &&
          parseFloat(getComputedStyle(element).outlineWidth) >= 2;
        return shows(active) || shows(active.nextElementSibling) ? 'shown' : `${active.tagName} ${active.className}`;
      });
      assert.ok(shown === 'shown' || shown === 'body', shown);
    }
  },

  async 'the menu of a narrow screen opens, closes, and keeps the focus'({ open }) {
    const page = await open('#/tools', { viewport: NARROW });
    const menu = page.getByRole('button', { name: 'Menu' });
    await menu.press('Enter');
    await page.getByRole('link', { name: 'Overview' }).first().waitFor();
    assert.equal(await menu.getAttribute('aria-expanded'), 'true');
    await page.keyboard.press('Escape');
    assert.equal(await menu.getAttribute('aria-expanded'), 'false');
    assert.equal(await focused(page), 'Menu');
    await menu.click();
    await page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name: 'Plugins' }).click();
    await page.getByRole('heading', { name: 'Plugins', level: 1 }).waitFor();
    assert.equal(await menu.getAttribute('aria-expanded'), 'false');
  },

  async 'a chart is read with the arrows, and as a table'({ open }) {
    const page = await open('#/');
    const plot = page.locator('.plot').first();
    await plot.focus();
    await page.keyboard.press('ArrowLeft');
    await page.locator('.readout').first().getByText('calls').waitFor();
    await page.getByText('As a table').first().click();
    await page.locator('.chart-table').first().locator('tbody tr').first().waitFor();
  },
};
