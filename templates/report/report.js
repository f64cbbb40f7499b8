"use strict";
// Sorting, choosing a map, and the dilemmas behind a number. Text is only ever set as text.
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, given = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(given)) {
      if (name === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
      else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  };
  const named = (text) => make("bdi", {}, text);
  const number = (x, digits = 2) =>
    x === null ? "–" : (Math.round(x * 10 ** digits) / 10 ** digits + 0).toFixed(digits).replace("-", "−");

  // Sorting

  const key = (cell) => {
    const text = cell.textContent.trim();
    const found = text.replaceAll("−", "-").replaceAll(",", "").match(/^[^\d.+-]*([+-]?\d*\.?\d+)/);
    return { text, number: text === "–" || text === "" ? null : found ? Number(found[1]) : NaN };
  };
  const compare = (a, b) => {
    if (a.number === null || b.number === null) return (a.number === null) - (b.number === null) || 0;
    if (Number.isNaN(a.number) || Number.isNaN(b.number)) return a.text.localeCompare(b.text, "en", { numeric: true });
    return a.number - b.number;
  };
  const sortable = (table) => {
    const body = table.tBodies[0];
    const before = [...body.rows];
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    heads.forEach((head, at) => {
      const words = [...head.childNodes];
      const button = make("button", { type: "button", title: head.title || "Sort by this column" }, ...words);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const next = { none: "descending", descending: "ascending", ascending: "none" }[head.getAttribute("aria-sort") || "none"];
        for (const other of heads) other.removeAttribute("aria-sort");
        const rows = [...before];
        if (next !== "none") {
          head.setAttribute("aria-sort", next);
          const keys = new Map(rows.map((row) => [row, key(row.cells[at])]));
          const missing = (row) => keys.get(row).number === null;
          const sign = next === "ascending" ? 1 : -1;
          rows.sort((a, b) => missing(a) - missing(b) || sign * compare(keys.get(a), keys.get(b)));
        }
        table.classList.toggle("sorted", next !== "none");
        body.append(...rows);
      });
    });
  };
  all("table.sort").forEach(sortable);

  // What is wider than its place can be scrolled with the keyboard too

  const reach = () => {
    for (const part of all(".scroll, .figure")) {
      const wide = part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight;
      part.classList.toggle("wide", part.scrollWidth > part.clientWidth);
      if (!wide) part.removeAttribute("tabindex");
      else {
        const words = one("caption, svg", part);
        part.tabIndex = 0;
        part.setAttribute("role", "region");
        part.setAttribute("aria-label", words ? words.getAttribute("aria-label") || words.textContent.trim() : "Table");
      }
    }
  };
  window.addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);

  // The data behind the numbers

  const data = JSON.parse(one("#data").textContent);
  const condition = new Map(data.conditions.map((found) => [`${found.model} ${found.persona}`, found]));
  const replies = new Map();
  const byRepeat = [...data.replies].sort((a, b) => a[4] - b[4] || a[3] - b[3]);
  for (const reply of byRepeat) {
    const place = reply.slice(0, 3).join(" ");
    if (!replies.has(place)) replies.set(place, []);
    replies.get(place).push(reply);
  }
  const distance = (found, item) =>
    !found || found.v[item] === null || found.a[item] === null ? null : Math.abs(found.v[item] - found.a[item]);
  const baselineOf = (model) =>
    data.conditions.find((found) => found.model === model && data.personas[found.persona].category === "baseline");
  const SIDES = ["stated", "acted"];
  const MISSING = { r: "refused", u: "unreadable", o: "open" };
  const answers = (found, side, item) => {
    const width = 2 * data.repeats;
    const line = found[side].slice(item * width, (item + 1) * width);
    const marks = line.match(/../g) || [];
    return marks.map((mark, repeat) => ({ repeat, point: mark[0], letter: mark[1] })).filter((mark) => mark.point !== " ");
  };
  const words = (side, mark) => {
    if (mark.point in MISSING) return MISSING[mark.point];
    const letter = mark.letter === "." ? "" : ` (${mark.letter})`;
    return mark.point === "s" ? "a score" : data.points[side][Number(mark.point) - 1].toLowerCase() + letter;
  };

  // Choosing a map

  const chooser = (label, options, change) => {
    const select = make("select", { on: { change } });
    options.forEach(([value, text]) => select.append(make("option", { value }, text)));
    return [make("label", {}, label, select), select];
  };
  const distinct = (found) => [...new Set(found)];
  const maps = all(".map");
  if (maps.length) {
    const show = () => {
      for (const map of maps) {
        const { model, metric, by } = map.dataset;
        map.hidden = !(model === ofModel.value && metric === ofMetric.value && by === ofBy.value);
      }
      reach();
    };
    const choices = (name) => distinct(maps.map((map) => map.dataset[name])).map((text) => [text, text]);
    const [modelLabel, ofModel] = chooser("Model", choices("model"), show);
    const [metricLabel, ofMetric] = chooser("Measure", choices("metric"), show);
    const [byLabel, ofBy] = chooser("Rows", choices("by"), show);
    one("#map-choice").append(modelLabel, metricLabel, byLabel);
    show();
  }

  // The dilemmas behind a number

  const STEP = 50;
  let shown = STEP;
  const many = (label, texts, change) =>
    chooser(label, [["", "all"], ...texts.map((text, at) => [at, text])], change);
  const values = distinct(data.items.map((item) => item.value));
  const topics = distinct(data.items.map((item) => item.topic)).sort();
  const again = () => {
    shown = STEP;
    list();
  };
  const [modelLabel, ofModel] = chooser("Model", data.models.map((text, at) => [at, text]), again);
  const [personaLabel, ofPersona] = chooser("Condition", data.personas.map((found, at) => [at, found.name]), again);
  const [valueLabel, ofValue] = many("Value", values, again);
  const [topicLabel, ofTopic] = many("Topic", topics, again);
  const [orderLabel, inOrder] = chooser(
    "Order", [["gap", "largest distance first"], ["change", "largest change first"], ["id", "by value and topic"]], again);
  const drawn = make("input", { type: "checkbox", on: { change: again } });
  const drawnLabel = make("label", { class: "tick" }, drawn, "with raw replies only");
  const told = make("p", { class: "muted", role: "status" });
  const place = make("div", { class: "scroll" });
  const detail = make("div");
  const holder = one("#drill");
  holder.append(
    make("div", { class: "choose" }, modelLabel, personaLabel, valueLabel, topicLabel, orderLabel,
      data.replies.length ? drawnLabel : null),
    told, place, detail);

  const chosen = () => {
    const model = Number(ofModel.value), persona = Number(ofPersona.value);
    const found = condition.get(`${model} ${persona}`);
    const baseline = baselineOf(model);
    const rows = data.items.map((item, at) => ({
      item, at, gap: distance(found, at), before: distance(baseline, at),
      raw: replies.get(`${model} ${persona} ${at}`) || [],
    })).filter(({ item, at, raw }) =>
      found && (answers(found, "stated", at).length || answers(found, "acted", at).length || found.v[at] !== null)
      && (ofValue.value === "" || item.value === values[ofValue.value])
      && (ofTopic.value === "" || item.topic === topics[ofTopic.value])
      && (!drawn.checked || raw.length));
    for (const row of rows) row.change = row.gap === null || row.before === null ? null : row.before - row.gap;
    const size = { gap: (row) => row.gap, change: (row) => row.change && Math.abs(row.change), id: () => 0 }[inOrder.value];
    rows.sort((a, b) => (size(b) ?? -1) - (size(a) ?? -1) || a.at - b.at);
    return { found, baseline, rows, model, persona };
  };

  const list = () => {
    const { found, rows, model, persona } = chosen();
    detail.replaceChildren();
    const gaps = rows.map((row) => row.gap).filter((gap) => gap !== null);
    const mean = gaps.length ? gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length : null;
    told.replaceChildren(
      `${rows.length} dilemma${rows.length === 1 ? "" : "s"}, mean distance ${number(mean)} over ${gaps.length}. `,
      found ? "" : "This model was not asked in this condition.");
    const head = make("tr", {}, ...["dilemma", "value", "topic", "stated", "acted", "distance", "baseline", "change", "raw replies"]
      .map((text, at) => make("th", { scope: "col", class: at < 3 ? "text" : null }, text)));
    const body = make("tbody");
    for (const row of rows.slice(0, shown)) {
      const open = make("button", { type: "button", class: "link", on: { click: () => look(row, line) } }, named(row.item.id));
      const line = make("tr", {},
        make("th", { scope: "row" }, open), ...[row.item.value, row.item.topic].map((text) => make("td", { class: "text" }, named(text))),
        ...[found.v[row.at], found.a[row.at]].map((x) => make("td", {}, number(x))),
        ...[row.gap, row.before, row.change].map((x) => make("td", {}, number(x))),
        make("td", {}, row.raw.length ? String(row.raw.length) : "–"));
      body.append(line);
    }
    const table = make("table", {}, make("caption", {}, named(data.models[model]), ", ", named(data.personas[persona].name)),
      make("thead", {}, head), body);
    place.replaceChildren(table);
    reach();
    if (rows.length > shown)
      place.append(make("button", { type: "button", class: "more", on: { click: () => { shown += STEP; list(); } } },
        `Show more of the ${rows.length - shown} that follow`));
  };

  const look = ({ item, at, raw }, line) => {
    for (const other of all("tr", line.parentNode)) other.removeAttribute("aria-current");
    line.setAttribute("aria-current", "true");
    const { found, baseline, model, persona } = chosen();
    const title = make("h3", { tabindex: "-1" }, named(item.id));
    const box = make("article", { class: "one" }, title,
      make("p", { class: "tag" }, named(item.value), " in ", named(item.topic), "; ", named(data.models[model]), " as ",
        named(data.personas[persona].name)));
    if (item.scenario !== undefined) {
      box.append(make("p", {}, named(item.scenario)), make("h4", {}, "The six actions"),
        make("ol", {}, ...item.actions.map((text, place) =>
          make("li", {}, named(text), " ", make("span", { class: "tag" }, data.points.acted[place])))));
    }
    const sides = [[found, "as the persona"], [baseline, "as the baseline"]].filter(([where], place) => where && !(place && where === found));
    const rows = [];
    for (const [where, how] of sides)
      for (const side of SIDES)
        rows.push(make("tr", {}, make("th", { scope: "row" }, `${side}, ${sides.length > 1 ? how : "as the baseline"}`),
          make("td", {}, number(where[side === "stated" ? "v" : "a"][at])),
          make("td", { class: "text" }, answers(where, side, at).map((mark) => words(side, mark)).join("; ") || "–")));
    box.append(make("h4", {}, "Answers, repeat by repeat, with the letter chosen"),
      make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {},
        ...["side", "mean score", "answers"].map((text) => make("th", { scope: "col", class: text === "answers" ? "text" : null }, text)))), make("tbody", {}, ...rows))));
    box.append(make("h4", {}, "Prompts and raw replies"));
    if (!raw.length) box.append(make("p", { class: "muted" }, "None of this dilemma in this condition are in the sample."));
    for (const [, , , side, repeat, messages, text, reasoning, refusal, reason] of raw) {
      const parts = messages.map((message, place) => [messages.length > 1 && !place ? "Persona, as sent" : "Question, as sent", data.texts[message]]);
      parts.push(["Reply", text], ["Reasoning kept apart by the server", reasoning], ["Refusal, in the server's words", refusal],
        ["Why it was not read", reason]);
      box.append(make("details", {}, make("summary", {}, `${SIDES[side]}, repeat ${repeat + 1}`),
        ...parts.filter(([name, words]) => words || name === "Reply").flatMap(([name, words]) =>
          [make("p", { class: "tag" }, name), make("pre", { dir: "auto" }, words || "(empty)")])));
    }
    detail.replaceChildren(box);
    title.focus();
  };

  // From a cell of a map to its dilemmas

  const names = (texts) => new Map(texts.map((text, at) => [text, at]));
  const at = { value: names(values), topic: names(topics), model: names(data.models), persona: names(data.personas.map((found) => found.name)) };
  for (const map of maps) {
    const { model, by } = map.dataset;
    const grid = one("table", map);
    const columns = all("thead th.turned", grid).map((head) => head.textContent);
    grid.classList.add("ready");
    grid.setAttribute("role", "grid");
    const what = (cell) => {
      const cells = all("td", cell.parentNode).filter((other) => other.textContent);
      return { group: one("th[scope=row]", cell.parentNode).textContent, persona: columns[cells.indexOf(cell)] };
    };
    const cells = all("tbody td", grid).filter((cell) => cell.textContent);
    const go = (cell) => {
      const { group, persona } = what(cell);
      ofModel.value = at.model.get(model);
      ofPersona.value = at.persona.get(persona);
      ofValue.value = by === "value" ? at.value.get(group) : "";
      ofTopic.value = by === "topic" ? at.topic.get(group) : "";
      drawn.checked = false;
      again();
      const heading = one("#dilemmas");
      heading.scrollIntoView();
      heading.focus({ preventScroll: true });
    };
    if (cells.length) cells[0].tabIndex = 0;
    grid.addEventListener("click", (event) => {
      const cell = event.target.closest("tbody td");
      if (cell && cell.textContent) go(cell);
    });
    const tell = (event) => {
      const cell = event.target.closest("tbody td");
      if (!cell || !cell.textContent || cell.title) return;
      const { group, persona } = what(cell);
      cell.title = `${group}, ${persona}: ${map.dataset.metric} ${cell.textContent}`;
      cell.setAttribute("aria-label", `${cell.title}; Enter shows its dilemmas`);
    };
    grid.addEventListener("mouseover", tell);
    grid.addEventListener("focusin", tell);
    grid.addEventListener("keydown", (event) => {
      const from = cells.indexOf(event.target);
      if (from < 0) return;
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns.length, ArrowDown: columns.length }[event.key];
      if (event.key === "Enter") go(event.target);
      else if (step && cells[from + step]) {
        event.preventDefault();
        event.target.tabIndex = -1;
        cells[from + step].tabIndex = 0;
        cells[from + step].focus();
      }
    });
  }

  for (const part of all(".scripted")) part.hidden = false;
  list();
})();
