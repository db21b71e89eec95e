// docs/wpt.md: how much passes, folder by folder, beside Node.js's own lists.

import { mkdirSync, writeFileSync } from "node:fs";

import { FOLDERS } from "./folders.mjs";
import { nodeOf } from "./node-status.mjs";

const FILE = new URL("../../docs/wpt.md", import.meta.url);

const percent = (part, whole) => whole === 0 ? "-" : `${(Math.floor(part / whole * 1000) / 10).toFixed(1)} %`;

function rowOf(folder, outcomes) {
  const of = outcomes.filter(({ test }) => test.folder === folder);
  let subtests = 0, passed = 0, nodeSubtests = 0, nodePassed = 0, nodeSkipped = 0, known = false;
  for (const { test, results } of of) {
    const node = nodeOf(test.file);
    known ||= node.known;
    if (node.skipped) nodeSkipped++;
    for (const [name, { status }] of results ?? []) {
      subtests++;
      if (status === "pass") passed++;
      if (node.skipped || node.skipTests.some((pattern) => typeof pattern === "string" ? pattern === name : pattern.test(name))) continue;
      nodeSubtests++;
      if (!node.failing.has(name)) nodePassed++;
    }
  }
  const skipped = of.filter(({ skipped }) => skipped !== undefined).length;
  return `| ${folder} | ${of.length} | ${skipped} | ${passed} of ${subtests} | ${percent(passed, subtests)} | ` +
    `${known ? `${percent(nodePassed, nodeSubtests)} | ${nodeSkipped}` : "- | -"} |`;
}

export function writeSummary(outcomes) {
  const reasons = [];
  for (const { test, skipped } of outcomes) if (skipped !== undefined) reasons.push(`- \`${test.file}${test.variant}\`: ${skipped}`);
  mkdirSync(new URL(".", FILE), { recursive: true });
  writeFileSync(FILE, `# Web Platform Tests

Written by \`tools/wpt --all\`; do not edit. Each file of the tests runs in a jailed worker of its own. What does not pass is named, with the reason,
in \`tools/web-platform-tests/expectations/\`. Node.js's figures are what its own lists say of the same subtests: a share of the subtests
in the files that it runs, and how many of the files it leaves out.

| folder | files | left out | subtests that pass | | Node.js 24 | files left out by Node.js |
|---|--:|--:|--:|--:|--:|--:|
${FOLDERS.map((folder) => rowOf(folder, outcomes)).join("\n")}

Left out here:

${reasons.join("\n")}
`);
}
