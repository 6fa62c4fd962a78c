// A gateway of its own, in a directory of its own, on a free port.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';

import { FIXTURE, TOOLGATE, need } from './places.mjs';

const START_MS = 30_000;
const STOP_MS = 15_000;

export class Gateway {
  #child;
  #directory;
  log = '';

  /** Starts one with the configuration `file` of the fixture. */
  static async start(file = 'toolgate.toml') {
    need(TOOLGATE, 'cargo build');
    const gateway = new Gateway();
    const directory = mkdtempSync(path.join(tmpdir(), 'toolgate-browser-'));
    gateway.#directory = directory;
    const text = readFileSync(path.join(FIXTURE, file), 'utf8')
      .replaceAll('FIXTURE/', FIXTURE)
      .replaceAll('NODE', process.execPath);
    const config = path.join(directory, 'toolgate.toml');
    writeFileSync(config, text);
    const env = {
      PATH: process.env.PATH,
      HOME: directory,
      TMPDIR: directory,
      TOOLGATE_STATE_DIR: path.join(directory, 'state'),
      WEBUI_KEY: 'hunter2',
    };
    gateway.#child = spawn(TOOLGATE, ['serve', '--config', config, '--listen', '127.0.0.1:0'], {
      cwd: directory,
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    gateway.#child.stderr.setEncoding('utf8');
    gateway.url = await gateway.#listening();
    return gateway;
  }

  #listening() {
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`the gateway ${why}:\n${this.log}`));
      const timer = setTimeout(() => fail(`does not listen after ${START_MS} ms`), START_MS);
      this.#child.once('exit', (code) => fail(`ended with ${code}`));
      this.#child.once('error', (error) => fail(`did not start: ${error.message}`));
      this.#child.stderr.on('data', (text) => {
        this.log += text;
        const found = /listening on (http:\/\/[\d.:]+)/.exec(this.log);
        if (found) {
          clearTimeout(timer);
          resolve(found[1]);
        }
      });
    });
  }

  /** Asks it over plain HTTP, as a script would. */
  async ask(method, target, body, headers = {}) {
    const init = {
      method,
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
    };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
    }
    const response = await fetch(this.url + target, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
  }

  /** Ends it, and what it left. */
  async stop() {
    const child = this.#child;
    if (child && child.exitCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(timer);
      if (child.signalCode === 'SIGKILL') {
        throw new Error(`the gateway did not end within ${STOP_MS} ms`);
      }
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
