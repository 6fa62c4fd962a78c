// Runs tests one after the other, and counts.

const LONGEST_MS = 90_000;

export class Report {
  passed = 0;
  failed = 0;

  /** Runs one test. Its pages are closed in any case; what they complained about fails it. */
  async run(title, test, { browser, gateway }) {
    const began = Date.now();
    const surfaces = browser.surfaces(gateway);
    try {
      await within(LONGEST_MS, test({ gateway, open: surfaces.open }));
      surfaces.check();
      this.passed += 1;
      console.log(`ok      ${title} (${Date.now() - began} ms)`);
    } catch (error) {
      this.failed += 1;
      await surfaces.keep(title).catch(() => {});
      console.log(`FAILED  ${title}\n${indented(error.stack ?? String(error))}`);
    } finally {
      await surfaces.close();
    }
  }

  /** The run itself broke off. */
  broke(error) {
    this.failed += 1;
    console.log(`FAILED  the run\n${indented(error.stack ?? String(error))}`);
  }
}

function within(ms, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function indented(text) {
  return text
    .split('\n')
    .map((line) => `        ${line}`)
    .join('\n');
}
