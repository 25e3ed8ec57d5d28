// What the documentation points at is there: pages, headings, files, tests. Its examples run.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url)); // this file runs from dist/test

/** What is in fences is no link and no heading. */
const pages = ['.', 'docs', 'bench'].flatMap((folder) =>
  readdirSync(path.join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join(folder, name)),
);
const textOf = (page: string): string => readFileSync(path.join(ROOT, page), 'utf8').replace(/^```[^]*?^```$/gm, '');

/** The anchor that GitHub makes of a heading. */
function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');
}

function anchorsOf(page: string): string[] {
  return [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
}

/** Relative links of a page that lead nowhere. */
function brokenLinks(page: string): string[] {
  const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? page : path.join(path.dirname(page), file);
      if (!existsSync(path.join(ROOT, target))) return true;
      return anchor !== undefined && !anchorsOf(target).includes(anchor);
    });
}

/** Tests that a page names and that there are not. A name without a folder is of test/supervisor; `*` stands for some of them. */
function missingTests(page: string): string[] {
  const text = readFileSync(path.join(ROOT, page), 'utf8');
  const named = [...text.matchAll(/(?:dist\/)?((?:test\/)?[\w/*-]*\.test)\.(?:ts|js)\b/g)].map(([, name = '']) => name);
  return named.filter((name) => {
    const file = name.startsWith('test/') ? name : `test/supervisor/${name}`;
    if (!file.includes('*')) return !existsSync(path.join(ROOT, `${file}.ts`));
    const begin = path.basename(file).split('*')[0] ?? '';
    return !readdirSync(path.join(ROOT, path.dirname(file))).some((other) => other.startsWith(begin));
  });
}

test('every relative link of the documentation leads to a file, and to a heading that it has', () => {
  const broken = pages.flatMap((page) => brokenLinks(page).map((link) => `${page}: ${link}`));
  assert.deepEqual(broken, []);
  assert.ok(pages.length > 20);
});

test('every test that the documentation names is there', () => {
  const missing = pages.flatMap((page) => missingTests(page).map((name) => `${page}: ${name}`));
  assert.deepEqual(missing, []);
});

/** Not as a part of this run of tests: its own exit code tells. */
function run(example: string): string {
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  return execFileSync(process.execPath, [example], { cwd: ROOT, env, encoding: 'utf8', timeout: 60_000 });
}

test('the example of a family restarts the sibling of a child that crashes', () => {
  const said = 'the input: worker_crashed\nthe state that was saved: 2\nthe sibling: sibling_died\n';
  assert.equal(run('docs/examples/family.js'), said);
});

test('the example of a process of its own outlives a fault of it', () => {
  const said = 'the input: host_lost crashed SIGSEGV\nthe state that was saved: 2\n';
  assert.equal(run('docs/examples/own-process.js'), said);
});

test('the example of a simulation passes', () => {
  assert.match(run('docs/examples/simulation.js'), / pass 1$/m);
});
