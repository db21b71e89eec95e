// What the chosen worker has said of late.

import { byId, element, foreign, foreignLines } from "./dom.ts";
import { clock } from "./format.ts";
import { askLogs, type Logs } from "./status.ts";

const LEVELS: Record<string, string> = { debug: "muted", info: "", log: "", warn: "warn", error: "bad", uncaught: "bad" };

export class LogView {
  #chosen: number | undefined;
  #shown = "";

  get chosen(): number | undefined { return this.#chosen; }

  choose(id: number | undefined): void {
    if (this.#chosen === id) return;
    this.#chosen = id;
    this.#shown = "";
    byId("chosen").hidden = id === undefined;
    if (id === undefined) return;
    byId("chosen-name").textContent = `#${id}`;
    byId("chosen-state").textContent = "";
    byId("logs").replaceChildren();
  }

  async refresh(): Promise<void> {
    const id = this.#chosen;
    if (id === undefined) return;
    const logs = await askLogs(id);
    if (this.#chosen === id) this.#show(id, logs);
  }

  #show(id: number, logs: Logs | undefined): void {
    // Nothing is made anew that is there already: what is selected stays selected.
    const shown = JSON.stringify(logs);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const list = byId("logs");
    if (logs === undefined) {
      list.replaceChildren(element("p", "empty", `Nothing is known of worker #${id} any more: only what ended last is kept.`));
      byId("chosen-state").textContent = "gone";
      return;
    }
    byId("chosen-name").replaceChildren(foreign(logs.name));
    byId("chosen-state").textContent = logs.ended ? `#${id}, ended` : `#${id}`;
    if (logs.lines.length === 0) {
      list.replaceChildren(element("p", "empty", logs.cut ? "What it said has made room for others." : "It has said nothing: console.log() and what it throws and does not catch appear here."));
      return;
    }
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
    list.replaceChildren(...logs.cut ? [element("p", "muted", "… what came before has made room")] : [], ...logs.lines.map((line) =>
      element("p", LEVELS[line.level] ?? "", element("time", "", clock(line.time)), " ", element("span", "level", line.level), " ", foreignLines(line.text))));
    if (atEnd) list.scrollTop = list.scrollHeight;
  }
}
