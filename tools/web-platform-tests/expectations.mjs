// What may fail, and why. expectations/FOLDER.json has for each file a list of
//
//   { "reason": "...", "fail": ["a subtest's whole name", "/a regular expression/"] }   these subtests must fail
//   { "reason": "...", "skip": true }                                                  the file is not run
//   { "reason": "...", "flaky": ["..."] }                                               these may or may not
//
// Keys are paths below the folder; one that ends with ? and more is of that variant alone.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

import { EXPECTATIONS, expectationsFile } from "./folders.mjs";

const files = new Map();

function expectationsOf(folder) {
  if (!files.has(folder)) {
    const file = expectationsFile(folder);
    const read = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
    for (const [name, list] of Object.entries(read)) {
      for (const { reason, fail, skip, flaky } of list) {
        if (typeof reason !== "string" || reason.length < 10) throw new Error(`${file}: an exception of ${name} has no reason`);
        if (skip === undefined && fail === undefined && flaky === undefined) throw new Error(`${file}: an exception of ${name} says neither skip nor fail`);
      }
    }
    files.set(folder, read);
  }
  return files.get(folder);
}

function listFor({ folder, file, variant }) {
  const all = expectationsOf(folder);
  const name = path.relative(folder, file);
  return [...(all[name] ?? []), ...(variant === "" ? [] : all[name + variant] ?? [])];
}

// Undefined, or why the file is not run.
export const skipReason = (test) => listFor(test).find(({ skip }) => skip === true)?.reason;

const matches = (pattern, name) => pattern.length > 1 && pattern.startsWith("/") && pattern.endsWith("/") ? new RegExp(pattern.slice(1, -1), "s").test(name) : pattern === name;

// Lines that each say one thing that is not as expected.
export function surprises(test, { results, broken }) {
  if (broken !== undefined) return [`broken: ${broken}`];
  const found = [];
  const list = listFor(test);
  const used = new Set();
  for (const [name, { status, message }] of results) {
    const patternsOf = (key) => list.flatMap((entry) => entry[key] ?? []).filter((pattern) => matches(pattern, name));
    const expected = patternsOf("fail");
    for (const pattern of expected) used.add(pattern);
    if (patternsOf("flaky").length > 0) continue;
    if (status === "pass" && expected.length > 0) found.push(`passes, but is expected to fail: ${name}`);
    if (status !== "pass" && expected.length === 0) found.push(`${status}: ${name}: ${message}`);
  }
  if (test.variant === "") {
    for (const pattern of list.flatMap(({ fail }) => fail ?? [])) {
      if (!used.has(pattern)) found.push(`there is no subtest that is expected to fail as: ${pattern}`);
    }
  }
  return found;
}

// Takes what is not as expected into the list of the test's file, with that reason; what passes now leaves it.
export function record(test, { results, broken }, reason) {
  if (broken === undefined && results === undefined) return;
  const { folder, file, variant } = test;
  const all = expectationsOf(folder);
  const key = path.relative(folder, file) + variant;
  const list = all[key] ?? [];
  if (broken !== undefined) list.push({ reason, skip: true });
  const statusOf = (pattern) => results?.get(pattern)?.status;
  for (const entry of list) {
    if (entry.fail !== undefined && broken === undefined) entry.fail = entry.fail.filter((pattern) => pattern.startsWith("/") || (statusOf(pattern) ?? "pass") !== "pass");
  }
  const failing = [...results ?? []].filter(([name, { status }]) => status !== "pass" &&
    !listFor(test).some((entry) => [...entry.fail ?? [], ...entry.flaky ?? []].some((pattern) => matches(pattern, name)))).map(([name]) => name);
  if (failing.length > 0) {
    const same = list.find((entry) => entry.reason === reason && entry.fail !== undefined);
    if (same === undefined) list.push({ reason, fail: failing });
    else same.fail.push(...failing);
  }
  const left = list.filter(({ fail }) => fail === undefined || fail.length > 0);
  if (left.length > 0) all[key] = left;
  else delete all[key];
  mkdirSync(EXPECTATIONS, { recursive: true });
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  if (Object.keys(sorted).length === 0) rmSync(expectationsFile(folder), { force: true });
  else writeFileSync(expectationsFile(folder), `${JSON.stringify(sorted, null, 1)}\n`);
}
