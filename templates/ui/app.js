"use strict";
// What git-ml's pages do. Text out of the repository is only ever set as text.

const root = document.documentElement;
const $ = (id) => document.getElementById(id);

/** Makes an element; children are elements or texts. */
function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

async function getJSON(address) {
  const response = await fetch(address);
  const json = await response.json().catch(() => ({ error: response.statusText }));
  if (!response.ok) throw Object.assign(new Error(json.error || response.statusText), json);
  return json;
}

/** Calls `act` at most once in `pause` ms, and once more after the last call. */
function calm(pause, act) {
  let timer = null;
  return () => { timer ??= setTimeout(() => { timer = null; act(); }, pause); };
}

/** As the program writes numbers: four digits behind the point. */
function shortNumber(value) {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  const size = Math.abs(value);
  return size < 1e-4 || size >= 1e9 ? value.toPrecision(5) : value.toFixed(4);
}

// MARK: What all pages do

$("theme").addEventListener("click", () => {
  const isDark = getComputedStyle(root).colorScheme === "dark";
  root.dataset.theme = isDark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* then it holds for this page */ }
  document.dispatchEvent(new Event("theme"));
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest(".copy");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch { button.textContent = "Select it"; }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

// Previews are loaded when they are opened, and nothing in them can run.
document.addEventListener("toggle", (event) => {
  const file = event.target;
  if (!file.matches?.("details[data-frame]") || !file.open || file.children.length > 1) return;
  const name = file.querySelector(".path").textContent;
  const frame = () => make("iframe", { src: file.dataset.frame, sandbox: "", title: name, loading: "lazy" });
  if (file.dataset.kind === "image") file.append(make("img", { src: file.dataset.frame, alt: name, loading: "lazy" }));
  else if (file.dataset.kind === "page") file.append(frame());
  else preview(file.dataset.frame, file.dataset.kind, name).then((node) => file.append(node), () => file.append(frame()));
}, true);

const PREVIEW = { bytes: 200_000, rows: 200 };

/** The first rows of a table, or the first lines of a text. */
async function preview(address, kind, name) {
  const response = await fetch(address, { headers: { Range: `bytes=0-${PREVIEW.bytes - 1}` } });
  if (!response.ok) throw new Error(response.statusText);
  const text = await response.text();
  const table = { csv: () => split(text, ","), tsv: () => split(text, "\t"), jsonl: () => records(text) }[kind]?.();
  if (!table || table.length < 2) return make("pre", { class: "log", tabindex: 0 }, text);
  const [head, ...rows] = table.slice(0, PREVIEW.rows + 1);
  return make("div", { class: "scroll preview", tabindex: 0, role: "region", "aria-label": name },
    make("table", {}, make("thead", {}, make("tr", {}, ...head.map((cell) => make("th", { scope: "col" }, cell)))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell)))))),
    table.length > PREVIEW.rows + 1 ? make("p", { class: "quiet" }, `The first ${PREVIEW.rows} rows.`) : null);
}

/** The rows of comma-separated values (RFC 4180). */
function split(text, comma) {
  const rows = [[""]];
  let quoted = false;
  for (let i = 0; i < text.length && rows.length <= PREVIEW.rows + 2; i += 1) {
    const [unit, row] = [text[i], rows[rows.length - 1]];
    if (unit === '"') {
      if (quoted && text[i + 1] === '"') { row[row.length - 1] += '"'; i += 1; } else quoted = !quoted;
    } else if (!quoted && unit === comma) row.push("");
    else if (!quoted && unit === "\n") rows.push([""]);
    else if (quoted || unit !== "\r") row[row.length - 1] += unit;
  }
  return rows.filter((row) => row.length > 1 || row[0] !== "");
}

/** JSON lines as rows below the names of their members; null when they are none. */
function records(text) {
  const objects = [];
  for (const line of text.split("\n").slice(0, PREVIEW.rows + 1)) {
    try { objects.push(JSON.parse(line)); } catch { break; }
  }
  const keys = [...new Set(objects.flatMap((one) => Object.keys(one ?? {})))];
  const cell = (value) => (value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));
  return keys.length ? [keys, ...objects.map((one) => keys.map((key) => cell(one?.[key])))] : null;
}

for (const input of document.querySelectorAll("[data-find]")) {
  input.addEventListener("input", () => {
    const word = input.value.toLowerCase();
    for (const row of document.querySelectorAll("tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(word);
  });
}

const live = {
  listeners: [],
  start() {
    if (!root.dataset.live) return;
    const source = new EventSource(root.dataset.live);
    const show = (change) => {
      const count = (change.going || []).length;
      $("live").textContent = count ? `${count} run${count === 1 ? "" : "s"} going on` : "";
    };
    source.addEventListener("hello", (event) => {
      show(JSON.parse(event.data));
      root.dataset.connected = "1";
    });
    source.addEventListener("change", (event) => {
      const change = JSON.parse(event.data);
      show(change);
      for (const listener of this.listeners) listener(change);
    });
    addEventListener("pagehide", () => source.close());
  },
  /** Puts what the server now says of some parts of the page in their places. */
  async refresh(...ids) {
    const response = await fetch(location.href);
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const id of ids) {
      const [old, now] = [$(id), page.getElementById(id)];
      if (!old || !now || old.innerHTML === now.innerHTML) continue;
      const log = old.querySelector("pre.log");
      const isAtEnd = log && log.scrollTop + log.clientHeight > log.scrollHeight - 40;
      old.replaceWith(document.adoptNode(now));
      const next = now.querySelector("pre.log");
      if (isAtEnd && next) next.scrollTop = next.scrollHeight;
    }
  },
};

// MARK: Charts

// Okabe and Ito's colours and more, which people who see few colours can tell apart.
const palette = ["#4f6bed", "#e8710a", "#0d9f6e", "#c2338f", "#d4a106", "#0ea5c6", "#8b5cf6", "#dc4437", "#6b7f2a", "#7c6f64"];
const colour = (place) => palette[place % palette.length];
const shown = new Map();

function ink(name) { return getComputedStyle(root).getPropertyValue(name).trim(); }

/** Draws in a place, anew when the theme or the size changes. */
function draw(node, options) {
  if (typeof echarts === "undefined") {
    node.replaceChildren(make("p", { class: "quiet" }, "The chart library is missing: make install brings it."));
    return null;
  }
  let chart = echarts.getInstanceByDom(node);
  if (!chart) {
    chart = echarts.init(node, null, { renderer: "canvas" });
    new ResizeObserver(() => chart.resize()).observe(node);
  }
  shown.set(node, options);
  chart.setOption(options(), { notMerge: true });
  return chart;
}

document.addEventListener("theme", () => { for (const [node, options] of shown) draw(node, options); });

function frame(more) {
  const text = { color: ink("--quiet"), fontFamily: "inherit", fontSize: 11 };
  const axis = {
    axisLine: { lineStyle: { color: ink("--line") } }, axisTick: { show: false }, axisLabel: text,
    splitLine: { lineStyle: { color: ink("--line") } }, nameTextStyle: text,
  };
  return {
    animation: false, textStyle: { fontFamily: "system-ui, sans-serif" },
    grid: { left: 8, right: 14, top: 14, bottom: 8, containLabel: true },
    // As text on the canvas: names cannot become elements.
    tooltip: { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: ink("--card"),
      borderColor: ink("--line"), textStyle: { color: ink("--ink"), fontSize: 12 } },
    ...more(axis, text),
  };
}

/** A value smoothed with those before it, as TensorBoard does; 0 leaves it as it is. */
function smoothed(values, weight) {
  if (!weight) return values;
  let [last, count] = [0, 0];
  return values.map((value) => {
    if (value === null) return null;
    last = last * weight + (1 - weight) * value;
    count += 1;
    return last / (1 - weight ** count);
  });
}

function lines(series, how) {
  return () => frame((axis) => ({
    xAxis: { ...axis, type: "value", scale: true, splitLine: { show: false }, min: "dataMin", max: "dataMax" },
    yAxis: { ...axis, type: how.log ? "log" : "value", scale: true },
    dataZoom: [{ type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl" }],
    series: series.flatMap(({ name, place, curve }) => {
      const xs = how.x === "step" ? curve.steps : curve.times.map((time) => time - (how.x === "relative" ? curve.times[0] : 0));
      const clean = curve.values.map((value) => (how.log && value <= 0 ? null : value));
      const line = (values, style) => ({
        name, type: "line", showSymbol: xs.length < 2, symbolSize: 5, color: colour(place), emphasis: { disabled: true },
        data: xs.map((x, i) => [x, values[i]]), lineStyle: { width: 1.8, type: place >= palette.length ? "dashed" : "solid", ...style },
      });
      return how.smooth
        ? [{ ...line(clean, { width: 1, opacity: 0.25 }), tooltip: { show: false }, silent: true }, line(smoothed(clean, how.smooth))]
        : [line(clean)];
    }),
  }));
}

function save(name, address) { make("a", { href: address, download: name }).click(); }

function saveCSV(name, series) {
  const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = series.flatMap(({ name: run, curve }) =>
    curve.steps.map((step, i) => [quote(run), step, curve.times[i], curve.values[i] ?? ""].join(",")));
  const address = URL.createObjectURL(new Blob([["run,step,seconds,value", ...rows].join("\n") + "\n"], { type: "text/csv" }));
  save(`${name.replaceAll(/[^\w.-]+/g, "_")}.csv`, address);
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** A figure for a metric below `parent`, made once. */
function figure(parent, key) {
  for (const old of parent.children) if (old.dataset.key === key) return old;
  const chart = make("div", { class: "chart", role: "img", "aria-label": `Curve of ${key}` });
  const node = make("figure", { "data-key": key },
    make("figcaption", {}, make("span", {}, key),
      make("button", { type: "button", class: "plain", "aria-label": `Save ${key} as PNG`, on: { click: () => {
        const drawn = echarts.getInstanceByDom(chart);
        save(`${key.replaceAll(/[^\w.-]+/g, "_")}.png`, drawn.getDataURL({ pixelRatio: 2, backgroundColor: ink("--card") }));
      } } }, "PNG"),
      make("button", { type: "button", class: "plain", "aria-label": `Save ${key} as CSV`, on: { click: () => saveCSV(key, node.series) } }, "CSV")),
    chart);
  parent.append(node);
  return node;
}

/** How curves are shown; kept in the page's address. */
function controls(parent, onChange) {
  const kept = new URLSearchParams(location.hash.slice(1));
  const how = { x: kept.get("x") || "step", log: kept.get("log") === "1", smooth: Number(kept.get("smooth") || 0) };
  const change = () => {
    const words = new URLSearchParams();
    if (how.x !== "step") words.set("x", how.x);
    if (how.log) words.set("log", "1");
    if (how.smooth) words.set("smooth", how.smooth);
    history.replaceState(null, "", words.size ? `#${words}` : location.pathname + location.search);
    onChange();
  };
  const select = make("select", { on: { change: () => { how.x = select.value; change(); } } },
    make("option", { value: "step" }, "step"), make("option", { value: "time" }, "seconds since the run began"),
    make("option", { value: "relative" }, "seconds since the first value"));
  select.value = how.x;
  const log = make("input", { type: "checkbox", on: { change: () => { how.log = log.checked; change(); } } });
  log.checked = how.log;
  const smooth = make("input", { type: "range", min: 0, max: 0.99, step: 0.01, on: { input: () => { how.smooth = Number(smooth.value); change(); } } });
  smooth.value = how.smooth;
  parent.append(make("label", {}, "Over", select), make("label", {}, log, "Logarithmic"), make("label", {}, "Smooth", smooth));
  return how;
}

function showCurves(parent, curves, how) {
  for (const [key, series] of curves) {
    const node = figure(parent, key);
    node.series = series;
    draw(node.querySelector(".chart"), lines(series, how));
  }
}

// MARK: One run

async function runPage() {
  const { run: id, curves: address, going } = $("run").dataset;
  let curves = new Map();
  const how = controls($("controls"), () => showCurves($("charts"), curves, how));
  const plain = { x: "time", log: false, smooth: 0 };
  async function load() {
    const json = await getJSON(address);
    const all = Object.entries(json.curves).map(([key, curve]) => [key, [{ name: json.label, place: 0, curve }]]);
    curves = new Map(all.filter(([key]) => !key.startsWith("system/")));
    const gauges = new Map(all.filter(([key]) => key.startsWith("system/")).map(([key, series]) => [key.slice(7), series]));
    $("curves").hidden = curves.size === 0;
    $("system").hidden = gauges.size === 0;
    showCurves($("charts"), curves, how);
    showCurves($("gauges"), gauges, plain);
  }
  const update = calm(300, async () => {
    await Promise.all([load(), live.refresh("facts", "log", "artifacts")]).catch(() => {});
  });
  live.listeners.push((change) => {
    // At its end a run gets what it has not had before: its log, its files, how it ended.
    if (going && !change.going.includes(id)) location.reload();
    else if (change.runs.includes(id)) update();
  });
  await load();
}

// MARK: Runs side by side

async function comparePage() {
  const box = $("compared");
  if (!box) return;
  const ids = box.dataset.runs.split(" ");
  for (const key of box.querySelectorAll(".key")) key.style.background = colour(ids.indexOf(key.dataset.series));
  const { runs } = await getJSON(`/compare.json?${ids.map((id) => `run=${id}`).join("&")}`);
  let curves = new Map();
  const how = controls($("controls"), () => showCurves($("charts"), curves, how));
  async function load() {
    const answers = await Promise.all(ids.map((id) => getJSON(`/runs/${id}/curves.json`)));
    const next = new Map();
    answers.forEach((answer, place) => {
      for (const [key, curve] of Object.entries(answer.curves)) {
        if (key.startsWith("system/")) continue;
        if (!next.has(key)) next.set(key, []);
        next.get(key).push({ name: runs[place].label, place, curve });
      }
    });
    curves = new Map([...next].sort());
    $("curves").hidden = curves.size === 0;
    showCurves($("charts"), curves, how);
  }
  const update = calm(500, () => load().catch(() => {}));
  live.listeners.push((change) => { if (change.runs.some((id) => ids.includes(id))) update(); });
  await load();
  if (runs.length > 1) { scatter(runs); parallel(runs); }
}

/** The parameters that differ, and the metrics. */
function dimensions(runs) {
  const keys = (of) => [...new Set(runs.flatMap((run) => Object.keys(of(run))))].sort();
  const params = keys((run) => run.params).filter((key) => new Set(runs.map((run) => run.params[key])).size > 1);
  const metrics = keys((run) => run.metrics).filter((key) => !key.startsWith("system/"));
  return [...params.map((key) => ({ key, isMetric: false })), ...metrics.map((key) => ({ key, isMetric: true }))];
}

function valueOf(run, { key, isMetric }) {
  const value = isMetric ? run.metrics[key] : run.params[key];
  if (value === undefined) return null;
  return isMetric || value === "" || Number.isNaN(Number(value)) ? value : Number(value);
}

const isNumeric = (runs, dimension) => runs.every((run) => ["number", "object"].includes(typeof valueOf(run, dimension)));

function axisOf(runs, dimension, axis, isLog) {
  if (isNumeric(runs, dimension)) return { ...axis, type: isLog ? "log" : "value", scale: true };
  return { ...axis, type: "category", data: [...new Set(runs.map((run) => String(valueOf(run, dimension) ?? "")))].sort() };
}

function scatter(runs) {
  const all = dimensions(runs);
  const [firstMetric] = all.filter((one) => one.isMetric);
  if (!firstMetric) return;
  const box = $("scatter");
  box.hidden = false;
  const pick = (chosen) => {
    const select = make("select", { on: { change: show } }, ...all.map((one, i) => make("option", { value: i }, one.key)));
    select.value = all.indexOf(chosen);
    return select;
  };
  const [x, y] = [pick(all[0]), pick(firstMetric)];
  const log = make("input", { type: "checkbox", on: { change: show } });
  box.querySelector(".controls").append(make("label", {}, "x", x), make("label", {}, "y", y), make("label", {}, log, "Logarithmic x"));
  function show() {
    const [dx, dy] = [all[x.value], all[y.value]];
    draw(box.querySelector(".chart"), () => frame((axis) => ({
      tooltip: { ...frame(() => ({})).tooltip, trigger: "item", formatter: (item) => `${item.seriesName}\n${dx.key} ${item.value[0]}\n${dy.key} ${item.value[1]}` },
      grid: { left: 8, right: 14, top: 28, bottom: 24, containLabel: true },
      xAxis: { ...axisOf(runs, dx, axis, log.checked), name: dx.key, nameLocation: "middle", nameGap: 28 },
      yAxis: { ...axisOf(runs, dy, axis, false), name: dy.key },
      series: runs.map((run, place) => ({ name: run.label, type: "scatter", symbolSize: 12, color: colour(place),
        data: [[valueOf(run, dx), valueOf(run, dy)]] })),
    })));
  }
  show();
}

function parallel(runs) {
  const all = dimensions(runs).slice(0, 10);
  if (all.length < 2) return;
  const box = $("parallel");
  box.hidden = false;
  draw(box.querySelector(".chart"), () => frame((axis, text) => ({
    tooltip: { show: false },
    parallel: { left: 40, right: 60, top: 40, bottom: 24 },
    parallelAxis: all.map((one, dim) => ({
      dim, name: one.key, nameTextStyle: { ...text, width: 90, overflow: "truncate" }, axisLabel: text,
      axisLine: { lineStyle: { color: ink("--quiet") } }, ...(isNumeric(runs, one) ? { scale: true }
        : { type: "category", data: [...new Set(runs.map((run) => String(valueOf(run, one) ?? "")))].sort() }),
    })),
    // One series: each axis spans what all of a series hold.
    series: [{ type: "parallel", data: runs.map((run, place) => ({ name: run.label, value: all.map((one) => valueOf(run, one) ?? "-"),
      lineStyle: { width: 2, opacity: 0.85, color: colour(place) } })) }],
  })));
}

// MARK: The table of experiments

function runsPage() {
  const ROW = 36, BLOCK = 100;
  const [grid, table] = [$("grid"), $("runs")];
  const [head, body] = [table.tHead, table.tBodies[0]];
  const words = new URLSearchParams(location.search);
  const state = {
    filter: words.get("filter") || "", sort: words.get("sort") || "", desc: words.get("desc") === "1",
    columns: words.get("columns") || "",
  };
  let blocks = new Map(), columns = [], total = 0, best = {}, age = 0, active = -1;
  const chosen = new Map();
  $("query").value = state.filter;

  function arguments_(more = {}) {
    const out = new URLSearchParams();
    for (const [key, value] of Object.entries({ ...state, desc: state.desc ? "1" : "", ...more })) if (value !== "") out.set(key, value);
    return out;
  }

  const names = () => columns.map((column) => (column.name.includes(",") ? "" : column.name)).filter(Boolean).join(",");

  async function fetchBlock(place, own) {
    blocks.set(place, null);
    const more = { offset: place * BLOCK, limit: BLOCK };
    // Later rows have the columns that the first ones chose.
    if (place > 0 && !state.columns) more.columns = names();
    const json = await getJSON(`/runs.json?${arguments_(more)}`);
    if (own !== age) return;
    blocks.set(place, json.rows);
    total = json.total;
    if (place === 0 || !columns.length) columns = json.columns;
  }

  // Of pages that are files all rows are there at once, and the script orders them.
  const source = grid.dataset.rows;
  let everything = null;

  async function loadLocal() {
    everything ??= await getJSON(source);
    ({ columns, best } = everything);
    const text = (row) => [row.label, ...row.cells].join(" ").toLowerCase();
    const rows = everything.rows.filter((row) => text(row).includes(state.filter.toLowerCase()));
    const at = columns.findIndex((column) => column.name === state.sort);
    const value = (row) => (at < 0 ? row.label : row.cells[at]);
    const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
    // What is missing comes last, whichever way the rest goes.
    if (state.sort) rows.sort((a, b) => (value(a) === null) - (value(b) === null) || order(value(a), value(b)) * (state.desc ? -1 : 1));
    total = rows.length;
    blocks = new Map();
    for (let i = 0; i < total; i += BLOCK) blocks.set(i / BLOCK, rows.slice(i, i + BLOCK));
    grid.scrollTop = 0;
    heading();
    render();
  }

  /** Reads everything anew; what is shown stays until the answer is there. */
  async function load(isQuiet) {
    if (source) return loadLocal();
    const own = ++age;
    const kept = blocks;
    if (!isQuiet) { grid.scrollTop = 0; active = -1; }
    const first = Math.floor(grid.scrollTop / ROW / BLOCK);
    blocks = new Map();
    try {
      await fetchBlock(0, own);
      if (first > 0) await fetchBlock(first, own);
    } catch (problem) {
      if (own !== age) return;
      blocks = kept;
      return complain(problem);
    }
    if (own !== age) return;
    complain(null);
    heading();
    render();
    try { best = await getJSON(`/best.json?${arguments_({ columns: names() })}`); } catch { best = {}; }
    if (own === age) render();
  }

  function complain(problem) {
    const node = $("problem");
    node.hidden = !problem;
    grid.hidden = Boolean(problem) && !columns.length;
    $("query").setAttribute("aria-invalid", problem ? "true" : "false");
    if (!problem) return;
    node.textContent = problem.column
      ? `${state.filter}\n${" ".repeat(problem.column - 1)}^ ${problem.message}` : problem.message;
  }

  function remember() {
    const text = arguments_().toString();
    history.replaceState(null, "", text ? `?${text}` : location.pathname);
  }

  function sortBy(name) {
    if (state.sort !== name) Object.assign(state, { sort: name, desc: true });
    else if (state.desc) state.desc = false;
    else Object.assign(state, { sort: "", desc: false });
    remember();
    load();
  }

  const isNumber = (column) => column.kind === "metric" || column.kind === "number";

  function heading() {
    const cell = (title, name, kind) => make("th", {
      scope: "col", class: kind, title: name, "aria-sort": state.sort === name ? (state.desc ? "descending" : "ascending") : null,
    }, make("button", { type: "button", on: { click: () => sortBy(name) } }, title));
    head.replaceChildren(make("tr", {},
      source ? null : make("th", { scope: "col", class: "tick", "aria-label": "Chosen" }), cell("run", "name", "name"),
      ...columns.map((column) => cell(column.title, column.name, isNumber(column) ? "number" : null))));
    const current = new Set(columns.map((column) => column.name));
    for (const box of document.querySelectorAll("#chooser input[type=checkbox]")) box.checked = current.has(box.value);
    $("total").textContent = `${total.toLocaleString("en")} run${total === 1 ? "" : "s"}`;
    table.setAttribute("aria-rowcount", total + 1);
    $("none").hidden = total > 0 || state.filter !== "";
    grid.hidden = total === 0 && state.filter === "";
  }

  function content(value, column) {
    if (value === null) return "";
    if (column.name === "status") {
      const tone = { finished: "good", failed: "bad", killed: "bad", running: "busy" }[value] || "quiet";
      return make("span", { class: `badge ${tone}` }, value);
    }
    return typeof value === "number" ? shortNumber(value) : value;
  }

  function line(row, place) {
    if (!row) return make("tr", { class: "loading" }, make("td", { class: "tick" }), make("td", { class: "name" }),
      ...columns.map(() => make("td")));
    const tick = make("input", { type: "checkbox", "aria-label": `Choose ${row.label}`, on: { change: () => choose(row, tick.checked) } });
    tick.checked = chosen.has(row.id);
    return make("tr", { "aria-rowindex": place + 2, "data-id": row.id,
      class: [chosen.has(row.id) ? "chosen" : "", place === active ? "active" : ""].join(" ").trim() || null },
    source ? null : make("td", { class: "tick" }, tick),
    make("td", { class: "name" }, make("a", { href: row.address, title: row.label }, row.label)),
    ...row.cells.map((value, i) => make("td", {
      class: [isNumber(columns[i]) ? "number" : "", value !== null && value === best[columns[i].name] ? "best" : ""].join(" ").trim() || null,
      title: typeof value === "string" && value.length > 30 ? value : typeof value === "number" ? String(value) : null,
    }, content(value, columns[i]))));
  }

  function render() {
    const first = Math.max(0, Math.floor(grid.scrollTop / ROW) - 8);
    const last = Math.min(total, first + Math.ceil(grid.clientHeight / ROW) + 20);
    const spacer = (rows) => {
      const cell = make("td", { colspan: columns.length + 2 });
      cell.style.height = `${rows * ROW}px`;
      return make("tr", { class: "spacer", "aria-hidden": "true" }, cell);
    };
    const rows = [];
    const missing = new Set();
    for (let i = first; i < last; i += 1) {
      const block = Math.floor(i / BLOCK);
      const row = blocks.get(block)?.[i % BLOCK];
      if (!row && !blocks.has(block)) missing.add(block);
      rows.push(line(row, i));
    }
    const focused = document.activeElement?.closest?.("tr[data-id]")?.dataset.id;
    const wasTick = document.activeElement?.matches?.("input");
    body.replaceChildren(spacer(first), ...rows, spacer(total - last));
    if (focused) body.querySelector(`tr[data-id="${CSS.escape(focused)}"] ${wasTick ? "input" : "a"}`)?.focus({ preventScroll: true });
    const own = age;
    for (const block of missing) fetchBlock(block, own).then(() => { if (own === age) render(); }, () => blocks.delete(block));
  }

  function choose(row, isChosen) {
    if (isChosen && chosen.size < 20) chosen.set(row.id, row.label); else chosen.delete(row.id);
    const button = $("compare");
    button.disabled = chosen.size < 2;
    button.textContent = chosen.size ? `Compare ${chosen.size}` : "Compare";
    render();
  }

  $("compare")?.addEventListener("click", () => {
    location.href = `/compare?${[...chosen.keys()].map((id) => `run=${id}`).join("&")}`;
  });

  let isDrawing = false;
  grid.addEventListener("scroll", () => {
    if (isDrawing) return;
    isDrawing = true;
    requestAnimationFrame(() => { isDrawing = false; render(); });
  });
  new ResizeObserver(() => { if (columns.length) render(); }).observe(grid);

  grid.addEventListener("keydown", (event) => {
    if (event.target !== grid) return;
    const page = Math.floor(grid.clientHeight / ROW) - 2;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -total, End: total };
    const row = blocks.get(Math.floor(active / BLOCK))?.[active % BLOCK];
    if (event.key in steps) {
      active = Math.min(total - 1, Math.max(0, active + steps[event.key]));
      const top = active * ROW;
      if (top < grid.scrollTop) grid.scrollTop = top;
      if (top > grid.scrollTop + grid.clientHeight - 3 * ROW) grid.scrollTop = top - grid.clientHeight + 3 * ROW;
      render();
    } else if (event.key === " " && row) choose(row, !chosen.has(row.id));
    else if (event.key === "Enter" && row) location.href = row.address;
    else return;
    event.preventDefault();
  });

  // Columns

  for (const box of document.querySelectorAll("#chooser input[type=checkbox]")) {
    box.addEventListener("change", () => {
      const current = columns.map((column) => column.name);
      state.columns = (box.checked ? [...current, box.value] : current.filter((name) => name !== box.value)).join(",");
      remember();
      load(true);
    });
  }
  $("standard")?.addEventListener("click", () => { state.columns = ""; remember(); load(true); });
  $("find")?.addEventListener("input", () => {
    const word = $("find").value.toLowerCase();
    for (const label of document.querySelectorAll("#chooser label")) label.hidden = !label.textContent.toLowerCase().includes(word);
  });
  document.addEventListener("click", (event) => { if ($("chooser") && !event.target.closest("#chooser")) $("chooser").open = false; });

  // The filter, and what could stand there

  const list = $("words"), query = $("query");
  const vocabulary = [...document.querySelectorAll("#chooser input[type=checkbox]")].map((box) => box.value)
    .concat(source ? [] : ["and", "or", "not", "like", "ilike", "in", "is null"]);
  const word = () => query.value.slice(0, query.selectionStart).match(/[\w."/-]*$/)[0];

  function offer() {
    const begun = word().toLowerCase();
    const found = begun ? vocabulary.filter((one) => one.toLowerCase().includes(begun) && one.toLowerCase() !== begun).slice(0, 8) : [];
    list.hidden = !found.length;
    list.replaceChildren(...found.map((one) => make("li", { role: "option", on: { mousedown: (event) => { event.preventDefault(); take(one); } } }, one)));
  }

  function take(one) {
    const [start, end] = [query.selectionStart - word().length, query.selectionStart];
    query.setRangeText(`${one} `, start, end, "end");
    list.hidden = true;
    query.focus();
  }

  function move(step) {
    const all = [...list.children];
    const now = all.findIndex((item) => item.getAttribute("aria-selected") === "true");
    all.forEach((item, i) => item.setAttribute("aria-selected", String(i === (now + step + all.length) % all.length)));
  }

  function apply() {
    list.hidden = true;
    state.filter = query.value.trim();
    remember();
    load();
  }

  query.addEventListener("input", () => { offer(); if (source) apply(); else if (query.value === "" && state.filter) apply(); });
  query.addEventListener("blur", () => { list.hidden = true; });
  query.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Escape") list.hidden = true;
    else if (event.key === "Tab" || event.key === "Enter") {
      const picked = list.querySelector("[aria-selected=true]") || (event.key === "Tab" ? list.firstElementChild : null);
      if (!picked) return;
      take(picked.textContent);
    } else return;
    event.preventDefault();
  });
  $("filter").addEventListener("submit", (event) => { event.preventDefault(); apply(); });

  const update = calm(400, () => load(true));
  live.listeners.push(update);
  load();
}

const pages = { runs: runsPage, run: runPage, compare: comparePage };
live.start();
Promise.resolve(pages[root.dataset.page]?.()).catch((problem) => console.error(problem));
