// The page at the admin address: asks how the server is, again and again, and shows it. It changes nothing.
//
// Runs in somebody's browser, with what workers wrote in its hands. None of that becomes anything but text (dom.ts).

import { byId, foreign, setText } from "./dom.ts";
import { age, clock } from "./format.ts";
import { Glance } from "./glance.ts";
import { LogView } from "./logs.ts";
import { askStatus, type Status } from "./status.ts";
import { Tables } from "./tables.ts";

const EVERY_MS = 1_000;

const logs = new LogView();
const tables = new Tables(choose);
let glance: Glance | undefined;
let last: Status | undefined;
let lastAnswer: number | undefined;   // by this machine's clock

// A number in the address's fragment, so that it outlasts a reload and goes back with the browser's button.
function choose(id: number | undefined): void {
  const fragment = id === undefined ? "" : `#worker=${id}`;
  if (location.hash !== fragment) history.pushState(undefined, "", fragment === "" ? location.pathname : fragment);
  useChoice();
}

function useChoice(): void {
  const found = /^#worker=(\d{1,15})$/.exec(location.hash);
  const id = found === null ? undefined : Number(found[1]);
  const isNew = id !== undefined && id !== logs.chosen;
  logs.choose(id);
  tables.choose(id);
  if (last !== undefined) show(last);
  if (!isNew) return;
  logs.refresh().catch(() => {});
  byId("chosen").scrollIntoView({ block: "nearest" });
}

function show(status: Status): void {
  last = status;
  const { layers, profile } = status.supervisor;
  const inForce = layers.filter((layer) => layer.inForce).length;
  if (status.project !== undefined && byId("project").textContent === "") byId("project").replaceChildren(foreign(status.project));

  setText(byId("jail"), `profile ${profile}, ${inForce} of ${layers.length} layers of the jail in force`);
  tables.show(status);
  tables.showHeld(status.supervisor.workers.find((worker) => worker.id === logs.chosen));
}

function say(tone: string, words: string): void {
  const pill = byId("answering");
  pill.className = `pill ${tone}`;
  setText(pill, words);
}

async function look(): Promise<void> {
  try {
    const status = await askStatus();
    glance ??= new Glance(status);
    glance.show(status);
    show(status);
    await logs.refresh();
    lastAnswer = Date.now();
    byId("content").classList.remove("stale");
    if (status.draining) say("warn", "draining: no other requests are taken");
    else say("good", "answers");
  } catch {
    byId("content").classList.add("stale");
    if (lastAnswer === undefined) say("bad", "no answer yet. Is the server there?");
    else say("bad", `no answer since ${clock(lastAnswer)} (${age((Date.now() - lastAnswer) / 1000)})`);
  }
}

async function watch(): Promise<never> {
  for (;;) {
    // Nobody looks at a page in the background.
    if (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
    else {
      await look();
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }
}

byId("close").addEventListener("click", () => choose(undefined));
addEventListener("popstate", useChoice);
addEventListener("hashchange", useChoice);
useChoice();
watch();
