// Where things are.

import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import process from 'node:process';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const FIXTURE = fileURLToPath(new URL('../fixture/', import.meta.url));
const TARGET = process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target');

/** The program that is tried. */
export const TOOLGATE = process.env.TOOLGATE_BIN ?? path.join(TARGET, 'debug', 'toolgate');

/** The browser. */
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Where screenshots are kept. */
export const PICTURES = path.join(TARGET, 'browser');
mkdirSync(PICTURES, { recursive: true });

/** Says what is missing, and what to do about it. */
export function need(file, mend) {
  if (!existsSync(file)) {
    throw new Error(`${file} is missing: ${mend}`);
  }
}
