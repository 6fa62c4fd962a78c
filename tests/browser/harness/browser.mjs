// A headless browser, and pages whose every complaint is a failure.

import path from 'node:path';

import { chromium } from 'playwright-core';

import { CHROMIUM, PICTURES, need } from './places.mjs';

export const WIDE = { width: 1440, height: 900 };
export const NARROW = { width: 390, height: 844 };

// Chromium runs as root in containers, and must not look for anything outside of this machine.
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const WAIT_MS = 15_000;

export class Browser {
  #browser;

  static async start() {
    need(CHROMIUM, 'install the package chromium, or name another browser in CHROMIUM');
    const browser = new Browser();
    browser.#browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
    return browser;
  }

  stop() {
    return this.#browser.close();
  }

  /** The pages of one test. */
  surfaces(gateway) {
    return new Surfaces(this.#browser, gateway);
  }
}

class Surfaces {
  #browser;
  #gateway;
  #opened = [];
  #complaints = [];

  constructor(browser, gateway) {
    this.#browser = browser;
    this.#gateway = gateway;
    this.open = this.open.bind(this);
  }

  /** Opens `place`, such as `#/tools`. `allows` are patterns of complaints that the test is about. */
  async open(place, { viewport = WIDE, scheme = 'light', url = this.#gateway.url, allows = [], token } = {}) {
    const context = await this.#browser.newContext({
      viewport,
      colorScheme: scheme,
      reducedMotion: 'reduce',
      locale: 'en-GB',
      timezoneId: 'UTC',
    });
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage();
    this.#opened.push(page);
    const complain = (text) => {
      if (!allows.some((pattern) => pattern.test(text))) {
        this.#complaints.push(`${place}: ${text}`);
      }
    };
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        complain(`${message.type()}: ${message.text()} (${message.location().url})`);
      }
    });
    page.on('pageerror', (error) => complain(`error: ${error.stack}`));
    page.on('dialog', (dialog) => {
      complain(`a script opened a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('blob:')) {
        complain(`asks for something outside: ${request.url()}`);
      }
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
      );
    });
    if (token) {
      await page.addInitScript((value) => sessionStorage.setItem('toolgate.token', value), token);
    }
    await page.goto(`${url}/ext/webui/${place}`);
    await page.locator('main h1, main .state').first().waitFor();
    return page;
  }

  /** Fails when a page complained. */
  check() {
    if (this.#complaints.length) {
      throw new Error(this.#complaints.join('\n'));
    }
  }

  /** Keeps pictures of what a failed test saw. */
  async keep(title) {
    const name = title.replace(/[^a-z0-9]+/gi, '-');
    for (const [at, page] of this.#opened.entries()) {
      await page.screenshot({ path: path.join(PICTURES, `failed-${name}-${at}.png`), fullPage: true });
    }
  }

  async close() {
    await Promise.all(
      this.#opened.map((page) =>
        page
          .context()
          .close()
          .catch(() => {}),
      ),
    );
  }
}

/** Keeps a picture of a whole page. */
export function picture(page, name) {
  return page.screenshot({ path: path.join(PICTURES, `${name}.png`), fullPage: true });
}
