"use strict";
// Everything that comes from a file becomes text (textContent), never markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const page = document.getElementById("page");
  const SVG = "http://www.w3.org/2000/svg";

  function make(name, attributes, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "text") node.textContent = value;
      else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value !== null && value !== undefined) node.setAttribute(key, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  function draw(name, attributes, ...children) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "text") node.textContent = value;
      else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  function bytes(size) {
    if (size === null || size === undefined) return "-";
    if (Math.abs(size) < 1024) return `${Math.round(size)} B`;
    let unit = "";
    for (unit of ["KiB", "MiB", "GiB", "TiB"]) {
      size /= 1024;
      if (Math.abs(size) < 1023.95) break;
    }
    return `${Math.abs(size) < 99.95 ? size.toFixed(1) : Math.round(size).toLocaleString("en")} ${unit}`;
  }
  const count = (number) => (number === null || number === undefined ? "-" : number.toLocaleString("en"));
  const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)}%` : "-");
  const signed = (size) => (size === 0 ? "-" : (size > 0 ? "+" : "−") + bytes(Math.abs(size)));

  // ---- the tree ----

  const nodes = data.prefixes.map((row, index) => ({
    index, parent: row[0], token: row[1], keys: row[2], memory: row[3], noTtl: row[4], p99: row[5], max: row[6],
    oldMemory: row[7], oldKeys: row[8], partial: row[9], all: row[10], own: row[11], children: [], path: "",
  }));
  for (const node of nodes) {
    const parent = nodes[node.parent];
    if (parent) {
      parent.children.push(node);
      node.up = parent;
      node.path = parent.path + node.token;
    } else node.path = node.token;
  }
  const root = nodes[0];
  const nameOf = (node) => (node === root && !node.path ? "all keys" : node.path + (node.children.length || node.keys > node.own ? "*" : ""));
  // A chain of nodes with one child each is shown as its end.
  function end(node) {
    while (node.children.length === 1 && node.all === 1 && node.children[0].keys === node.keys && node.children[0].oldKeys === node.oldKeys) node = node.children[0];
    return node;
  }
  function partsOf(node) {
    const parts = node.children.map(end).filter((child) => child.memory > 0);
    for (const part of parts) part.label = nameOf(part).slice(node.path.length);
    const rest = node.memory - parts.reduce((sum, child) => sum + child.memory, 0);
    if (rest > 0 && parts.length) {
      const keys = node.keys - parts.reduce((sum, child) => sum + child.keys, 0);
      const noTtl = node.noTtl - parts.reduce((sum, child) => sum + child.noTtl, 0);
      parts.push({ rest: true, memory: rest, keys, noTtl: Math.max(noTtl, 0), oldMemory: 0, children: [], label: "others", path: `${node.path} (others)` });
    }
    return parts.sort((a, b) => b.memory - a.memory);
  }

  // ---- colours ----

  const mix = (a, b, share) => a.map((value, index) => Math.round(value + (b[index] - value) * share));
  const rgb = (colour) => `rgb(${colour.join(",")})`;
  const COLD = [126, 182, 232], HOT = [240, 146, 86], FLAT = [196, 202, 210], GREW = [235, 110, 95], SHRANK = [110, 190, 140];
  let byGrowth = Boolean(data.growth);
  function colour(node) {
    if (byGrowth && data.growth) {
      if (node.rest) return rgb(FLAT);
      const base = Math.max(node.memory, node.oldMemory) || 1;
      const share = (node.memory - node.oldMemory) / base;
      return rgb(share >= 0 ? mix(FLAT, GREW, Math.min(1, share * 1.5)) : mix(FLAT, SHRANK, Math.min(1, -share * 1.5)));
    }
    return rgb(mix(COLD, HOT, node.keys ? node.noTtl / node.keys : 0));
  }
  const describe = (node) =>
    `${node.rest ? node.path : nameOf(node)}\n${bytes(node.memory)} (${percent(node.memory, root.memory)}), ${count(node.keys)} keys, ${percent(node.noTtl, node.keys)} without TTL` +
    (data.growth && !node.rest ? `\n${signed(node.memory - node.oldMemory)} since then` : "");
  // Text in a box is cut to what fits: 7.3 px a character of the 12 px monospace face.
  const cut = (text, width) => {
    const room = Math.floor((width - 8) / 7.3);
    return room < 2 ? "" : text.length <= room ? text : `${text.slice(0, room - 1)}…`;
  };

  let focus = end(root);
  const listeners = [];
  function go(node) {
    focus = node;
    for (const listener of listeners) listener();
  }
  function up() {
    let node = focus.up;
    while (node && node.up && end(node) !== node) node = node.up;
    if (node && end(node) !== focus) go(end(node));
    else if (node && node.up) go(end(node.up));
  }
  function box(node, x, y, width, height, act) {
    const group = draw("g", { class: act ? "node" : "node leaf" });
    group.append(draw("title", { text: describe(node) }));
    group.append(draw("rect", { x, y, width: Math.max(width, 0.5), height, fill: colour(node) }));
    if (act) {
      group.setAttribute("tabindex", "0");
      group.setAttribute("role", "button");
      group.setAttribute("aria-label", describe(node).replaceAll("\n", ", "));
      group.addEventListener("click", act);
      group.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          act();
        } else if (event.key === "Backspace" || event.key === "Escape") {
          event.preventDefault();
          up();
        }
      });
    }
    return group;
  }

  // Squarified treemap (Bruls, Huizing and van Wijk).
  function squarify(parts, x, y, width, height, place) {
    const whole = parts.reduce((sum, part) => sum + part.memory, 0);
    let scale = whole ? (width * height) / whole : 0;
    let index = 0;
    while (index < parts.length && width > 0.5 && height > 0.5) {
      const side = Math.min(width, height);
      let sum = 0, worst = Infinity, stop = index;
      while (stop < parts.length) {
        const next = sum + parts[stop].memory * scale;
        let ratio = 0;
        for (let i = index; i <= stop; i++) {
          const area = parts[i].memory * scale;
          const across = next / side, along = area / across;
          ratio = Math.max(ratio, across / along, along / across);
        }
        if (ratio > worst) break;
        worst = ratio;
        sum = next;
        stop++;
      }
      const across = sum / side;
      let at = 0;
      for (let i = index; i < stop; i++) {
        const along = (parts[i].memory * scale) / across;
        if (width >= height) place(parts[i], x, y + at, across, along);
        else place(parts[i], x + at, y, along, across);
        at += along;
      }
      if (width >= height) { x += across; width -= across; } else { y += across; height -= across; }
      index = stop;
    }
  }

  function treemap() {
    const holder = make("div");
    const crumbs = make("nav", { class: "crumbs", "aria-label": "prefix" });
    const legend = make("div", { class: "legend" });
    const size = () => Math.max(holder.clientWidth || 900, 280);
    function paint() {
      const width = size(), height = Math.round(Math.min(460, Math.max(260, width * 0.45)));
      const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "treemap of memory by prefix" });
      const parts = partsOf(focus);
      if (!parts.length && focus.memory) svg.append(...labelled(focus, 0, 0, width, height, null));
      squarify(parts, 0, 0, width, height, (part, x, y, w, h) => {
        const inner = part.rest ? [] : partsOf(part);
        svg.append(...labelled(part, x, y, w, h, inner.length > 0 ? () => go(part) : null));
        if (inner.length > 1 && w > 60 && h > 48)
          squarify(inner, x + 3, y + 18, w - 6, h - 21, (child, cx, cy, cw, ch) => {
            if (cw < 3 || ch < 3) return;
            svg.append(...labelled(child, cx, cy, cw, ch, child.rest ? null : () => go(partsOf(child).length ? child : part), true));
          });
      });
      holder.replaceChildren(svg);
      const path = [];
      for (let node = focus; node; node = node.up) if (!path.length || end(node) === node || node === root) path.unshift(node);
      crumbs.replaceChildren(...path.map((node) => make("button", { type: "button", text: nameOf(node), onclick: () => go(end(node)) })));
      const scale = make("i");
      scale.style.background = byGrowth ? `linear-gradient(90deg, ${rgb(SHRANK)}, ${rgb(FLAT)}, ${rgb(GREW)})` : `linear-gradient(90deg, ${rgb(COLD)}, ${rgb(HOT)})`;
      legend.replaceChildren(make("span", { text: byGrowth ? "shrank" : "all expire" }), scale, make("span", { text: byGrowth ? "grew" : "none expire" }));
    }
    function labelled(node, x, y, w, h, act, small) {
      const group = box(node, x, y, w, h, act);
      const text = cut((small || node.rest ? node.label : "") || nameOf(node), w);
      if (h > 14 && text) group.append(draw("text", { x: x + 4, y: y + 13, text }));
      if (h > 30 && !small && cut("x".repeat(9), w).length >= 9 && partsOf(node).length < 2) group.append(draw("text", { x: x + 4, y: y + 27, text: bytes(node.memory) }));
      return [group];
    }
    listeners.push(paint);
    addEventListener("resize", paint);
    const bar = make("div", { class: "row" }, crumbs);
    const buttons = make("div", { class: "row" }, legend);
    if (data.growth)
      buttons.prepend(make("select", { "aria-label": "colour", onchange: (event) => { byGrowth = event.target.value === "growth"; go(focus); } },
        make("option", { value: "growth", text: "colour: growth" }), make("option", { value: "ttl", text: "colour: share without TTL" })));
    return section("Memory by prefix", make("p", { class: "dim no-print", text: "Click a prefix to descend, or use Tab and Enter; Backspace goes up." }), bar, holder, buttons);
  }

  function flame() {
    const holder = make("div");
    function paint() {
      const width = Math.max(holder.clientWidth || 900, 280), line = 20;
      let depth = 0;
      const rows = [];
      const lay = (node, x, w, level) => {
        if (w < 1.5) return;
        depth = Math.max(depth, level + 1);
        rows.push([node, x, level * (line + 1), w]);
        let at = x;
        const parts = partsOf(node);
        if (parts.length === 1 && parts[0].rest) return;
        for (const part of parts) {
          const share = (w * part.memory) / node.memory;
          if (!part.rest) lay(part, at, share, level + 1);
          at += share;
        }
      };
      if (focus.memory) lay(focus, 0, width, 0);
      const svg = draw("svg", { viewBox: `0 0 ${width} ${Math.max(depth, 1) * (line + 1)}`, role: "group", "aria-label": "flame graph of memory by prefix" });
      for (const [node, x, y, w] of rows) {
        const group = box(node, x, y, w, line, () => (node === focus ? up() : go(node)));
        const text = cut((node === focus ? "" : node.label) || nameOf(node), w);
        if (text) group.append(draw("text", { x: x + 4, y: y + 14, text }));
        svg.append(group);
      }
      holder.replaceChildren(svg);
    }
    listeners.push(paint);
    addEventListener("resize", paint);
    return section("Flame graph", holder);
  }

  // ---- tables ----

  function section(title, ...children) {
    return make("section", { "aria-label": title }, make("h2", { text: title }), ...children);
  }

  // columns: {title, value(row), show(row), name: a name, left, meter(row): 0..1, narrow: hidden on small screens}
  function table(rows, columns, { search, shown = 15, sortBy } = {}) {
    let order = sortBy ?? columns.findIndex((column) => !column.name), down = true, needle = "", room = shown;
    const head = make("tr");
    const body = make("tbody");
    const more = make("button", { type: "button", class: "no-print", onclick: () => { room += 100; fill(); } });
    columns.forEach((column, index) => {
      const th = make("th", { class: (column.name || column.left ? "" : "num") + (column.narrow ? " hide-narrow" : ""), scope: "col" });
      th.append(make("button", { type: "button", text: column.title, onclick: () => { down = order === index ? !down : !(column.name || column.left); order = index; fill(); } }));
      head.append(th);
    });
    function fill() {
      const column = columns[order];
      const found = rows.filter((row) => !needle || columns.some((each) => each.name && String(each.value(row)).toLowerCase().includes(needle)));
      found.sort((a, b) => {
        const x = column.value(a), y = column.value(b);
        return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
      });
      [...head.children].forEach((th, index) => th.setAttribute("aria-sort", index === order ? (down ? "descending" : "ascending") : "none"));
      body.replaceChildren(...found.slice(0, room).map((row) => make("tr", {}, ...columns.map((each) => {
        const td = make("td", { class: (each.name ? "name" : each.left ? "" : "num") + (each.narrow ? " hide-narrow" : "") + (each.style ? ` ${each.style(row)}` : "") });
        if (each.meter) {
          const meter = make("span", { class: "meter" }, make("i"));
          meter.firstChild.style.width = `${Math.min(100, 100 * each.meter(row))}%`;
          td.append(meter, " ");
        }
        const text = each.show ? each.show(row) : String(each.value(row));
        td.append(each.meter ? make("span", { class: "beside", text }) : text);
        return td;
      }))));
      more.hidden = found.length <= room;
      more.textContent = `${count(found.length - room)} more`;
    }
    fill();
    const box = make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), body));
    const field = search ? make("div", { class: "row" }, make("input", { type: "search", placeholder: search, "aria-label": search, oninput: (event) => { needle = event.target.value.toLowerCase(); room = shown; fill(); } })) : null;
    return [field, box, more];
  }

  function prefixTable() {
    // What is directly below a prefix is called as the prefix is, which has a row.
    const isRest = (node) => node.token[0] === "*" && !node.children.length && end(node.up) === node.up && node.up !== root;
    const rows = nodes.filter((node) => node !== root && end(node) === node && !isRest(node) && (node.keys || node.oldKeys));
    const columns = [
      { title: "prefix", name: true, value: (row) => nameOf(row), show: (row) => (row.partial ? "≥ " : "") + nameOf(row) },
      { title: "keys", value: (row) => row.keys, show: (row) => count(row.keys) },
      { title: "memory", value: (row) => row.memory, show: (row) => bytes(row.memory) },
      { title: "share", value: (row) => row.memory, show: (row) => percent(row.memory, root.memory), meter: (row) => row.memory / (root.memory || 1), narrow: Boolean(data.growth) },
      { title: "average", value: (row) => row.memory / (row.keys || 1), show: (row) => bytes(row.memory / (row.keys || 1)), narrow: true },
      { title: "p99", value: (row) => row.p99, show: (row) => bytes(row.p99), narrow: true },
      { title: "max", value: (row) => row.max, show: (row) => bytes(row.max), narrow: true },
      { title: "no TTL", value: (row) => row.noTtl / (row.keys || 1), show: (row) => percent(row.noTtl, row.keys) },
    ];
    if (data.growth) columns.push({ title: "grew", value: (row) => row.memory - row.oldMemory, show: (row) => signed(row.memory - row.oldMemory), style: (row) => (row.memory > row.oldMemory ? "bad" : "good") });
    const part = section("Prefixes", ...table(rows, columns, { search: "search prefixes", sortBy: 2 }));
    if (data.folded) part.append(make("p", { class: "dim", text: `${count(data.folded)} names that have few keys each are folded to *.` }));
    part.classList.add("long");
    return part;
  }

  function keyTable() {
    const names = { memory: "memory", elements: "elements", element: "largest element" };
    const holder = make("div");
    const columns = [
      { title: "key", name: true, value: (row) => row.key, show: (row) => row.key },
      { title: "db", value: (row) => row.db, show: (row) => String(row.db), narrow: true },
      { title: "type", left: true, value: (row) => row.type, show: (row) => row.type },
      { title: "encoding", left: true, value: (row) => row.encoding, show: (row) => row.encoding, narrow: true },
      { title: "memory", value: (row) => row.memory, show: (row) => bytes(row.memory) },
      { title: "elements", value: (row) => row.elements, show: (row) => count(row.elements) },
      { title: "largest element", value: (row) => row.largest, show: (row) => bytes(row.largest), narrow: true },
      { title: "expires", value: (row) => row.expire ?? Infinity, show: (row) => (row.expire === null ? "never" : when(row.expire)), narrow: true },
    ];
    const pick = (by) => holder.replaceChildren(...table(data.largest[by], columns, { search: "search keys", sortBy: by === "memory" ? 4 : by === "elements" ? 5 : 6 }).filter(Boolean));
    pick("memory");
    const select = make("select", { "aria-label": "largest by", onchange: (event) => pick(event.target.value) }, ...Object.entries(names).map(([value, text]) => make("option", { value, text: `by ${text}` })));
    const part = section("Largest keys", make("div", { class: "row no-print" }, select), holder);
    part.classList.add("long");
    return part;
  }
  function when(milliseconds) {
    const date = new Date(milliseconds);
    return Number.isNaN(date.getTime()) ? `${milliseconds} ms` : date.toISOString().slice(0, 19).replace("T", " ");
  }

  // ---- bars ----

  // rows: [label, keys, memory]
  function columnsChart(title, rows, note) {
    const width = 520, height = 150, left = 8, bottom = 34, top = 16;
    const step = (width - left) / Math.max(rows.length, 1);
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height + bottom}`, role: "img", "aria-label": title });
    const mostKeys = Math.max(1, ...rows.map((row) => row[1])), mostBytes = Math.max(1, ...rows.map((row) => row[2]));
    const every = Math.ceil(rows.length / 12);
    rows.forEach(([label, keys, memory], index) => {
      const x = left + index * step, wide = Math.min(step * 0.42, 26);
      const group = draw("g", {}, draw("title", { text: `${label}: ${count(keys)} keys, ${bytes(memory)}` }));
      const a = ((height - top) * keys) / mostKeys, b = ((height - top) * memory) / mostBytes;
      group.append(draw("rect", { x, y: height - a, width: wide, height: a, fill: "var(--bar2)" }));
      group.append(draw("rect", { x: x + wide, y: height - b, width: wide, height: b, fill: "var(--bar)" }));
      group.append(draw("rect", { x, y: top, width: step, height: height - top, fill: "transparent" }));
      if (index % every === 0) group.append(draw("text", { x: x + wide, y: height + 14, "text-anchor": rows.length > 1 && index === 0 ? "start" : "middle", class: "label", text: label }));
      svg.append(group);
    });
    const legend = make("div", { class: "legend" });
    for (const [text, tone] of [["keys", "var(--bar2)"], ["memory", "var(--bar)"]]) {
      const mark = make("i");
      mark.style.background = tone;
      mark.style.width = "14px";
      legend.append(mark, make("span", { text }));
    }
    return section(title, svg, legend, note ? make("p", { class: "dim", text: note }) : null);
  }

  function barsChart(title, rows, show) {
    const most = Math.max(1, ...rows.map((row) => row[1]));
    return section(title, ...table(rows, [
      { title: "", name: true, value: (row) => row[0] },
      { title: show, value: (row) => row[1], show: (row) => bytes(row[1]), meter: (row) => row[1] / most },
      { title: "", value: (row) => row[2] ?? "", show: (row) => row[2] ?? "" },
    ], { shown: 20 }));
  }

  function types() {
    const whole = data.types.reduce((sum, row) => sum + row.memory, 0);
    return section("Types and encodings", ...table(data.types, [
      { title: "type", name: true, value: (row) => `${row.type} ${row.encoding}` },
      { title: "keys", value: (row) => row.keys, show: (row) => count(row.keys) },
      { title: "memory", value: (row) => row.memory, show: (row) => bytes(row.memory) },
      { title: "share", value: (row) => row.memory, show: (row) => percent(row.memory, whole), meter: (row) => row.memory / (whole || 1) },
      { title: "elements", value: (row) => row.elements, show: (row) => count(row.elements), narrow: true },
      { title: "no TTL", value: (row) => row.noTtl / (row.keys || 1), show: (row) => percent(row.noTtl, row.keys) },
    ], { sortBy: 2 }));
  }

  function savings() {
    const kinds = { hash: "hashes", zset: "sorted sets", set: "sets" };
    const words = (row) =>
      row.what === "expired" ? `${count(row.keys)} keys have expired and are still stored`
        : row.what === "no-ttl" ? `${count(row.keys)} keys of ${row.prefix} do not expire, the others do`
          : `about: ${count(row.keys)} ${kinds[row.type]} of ${count(row.limit + 1)} to ${count(2 * row.limit)} ${row.what === "entries" ? "entries" : "bytes in their largest element"}: ${row.setting}`;
    return section("What could be saved", make("ul", {}, ...data.savings.map((row) => make("li", { text: `${bytes(row.saves)}: ${words(row)}` }))));
  }

  function compared() {
    const rows = [[data.model, data.totals], ...data.compared.map((row) => [row.server, row.totals])];
    const here = data.totals.used_memory;
    return barsChart("On other servers", rows.map(([name, totals], index) => [name, totals.used_memory, index && here ? `${totals.used_memory >= here ? "+" : "−"}${Math.abs((100 * (totals.used_memory - here)) / here).toFixed(1)}%` : ""]), "used_memory");
  }

  function growth() {
    const rows = data.growth.keys;
    return section(`Keys of ${bytes(data.growth.least)} and more that changed`, ...table(rows, [
      { title: "key", name: true, value: (row) => row.key },
      { title: "type", left: true, value: (row) => row.type, show: (row) => row.type, narrow: true },
      { title: "before", value: (row) => row.old ?? -1, show: (row) => (row.old === null ? "new" : bytes(row.old)) },
      { title: "now", value: (row) => row.memory ?? -1, show: (row) => (row.memory === null ? "gone" : bytes(row.memory)) },
      { title: "grew", value: (row) => row.grew, show: (row) => signed(row.grew), style: (row) => (row.grew > 0 ? "bad" : "good") },
    ], { search: "search keys", sortBy: 4 }));
  }

  function aof() {
    const part = data.aof;
    const parts = [section("What writes", ...table(part.commands, [
      { title: "command", name: true, value: (row) => row[0] },
      { title: "calls", value: (row) => row[1], show: (row) => count(row[1]) },
      { title: "bytes in the AOF", value: (row) => row[2], show: (row) => bytes(row[2]), meter: (row) => row[2] / (part.size || 1) },
    ], { sortBy: 2, shown: 12 }), part.rewritten === null ? null : make("p", { class: "dim", text: `A rewrite would leave about ${bytes(part.rewritten)} of ${bytes(part.whole)}.` }))];
    if (part.hottest.length)
      parts.push(section("Hottest keys", ...table(part.hottest, [
        { title: "key", name: true, value: (row) => row[1] },
        { title: "writes", value: (row) => row[2], show: (row) => (row[3] ? "≥ " : "") + count(row[2]) },
      ], { shown: 12 })));
    if (part.prefixes.length > 1)
      parts.push(section("Written to", ...table(part.prefixes, [
        { title: "prefix", name: true, value: (row) => row[0] + (/[:/|._-]$/.test(row[0]) ? "*" : "") },
        { title: "calls", value: (row) => row[1], show: (row) => count(row[1]) },
        { title: "bytes in the AOF", value: (row) => row[2], show: (row) => bytes(row[2]), meter: (row) => row[2] / (part.size || 1) },
      ], { sortBy: 2, shown: 12 })));
    if (part.minutes.length) parts.push(columnsChart("Commands by minute", part.minutes.map((row) => [when(row[0] * 60000).slice(5, 16), row[1], row[2]]), "Bytes are those in the AOF."));
    return parts;
  }

  // ---- the page ----

  function header() {
    const titles = data.sources.slice(0, 8).map((source) => make("div", {}, make("h1", { text: source.name }),
      make("p", { class: "dim", text: [source.what + (source.writer ? `, ${source.writer}` : ""), source.saved ? `saved ${source.saved}` : "", `${count(source.totals.keys)} keys`, source.size === null ? "" : `${bytes(source.size)} on disk`].filter(Boolean).join(" · ") })));
    const switcher = make("button", { type: "button", class: "no-print", text: "dark / light", onclick: () => document.documentElement.classList.toggle("dark") });
    return make("header", {}, make("div", {}, ...titles, data.sources.length > 8 ? make("p", { class: "dim", text: `and ${data.sources.length - 8} more` }) : null), switcher);
  }

  function tiles() {
    const totals = data.totals;
    const tile = (value, label, main) => make("div", { class: main ? "tile main" : "tile" }, make("b", { text: value }), make("span", { text: label }));
    const rows = [
      tile(bytes(totals.used_memory), `used_memory after a restart (${data.model})`, true),
      tile(count(totals.keys), "keys"),
      tile(bytes(totals.keys ? totals.memory / totals.keys : 0), "a key on average"),
      tile(bytes(data.p99), "p99 of keys"),
      tile(percent(data.noTtl[0], totals.keys), "of keys never expire"),
      tile(bytes(totals.tables), "tables of keys and expiries"),
    ];
    if (data.growth) {
      const grew = totals.used_memory - data.growth.totals.used_memory;
      rows.splice(1, 0, tile(signed(grew), `since ${data.growth.saved || data.growth.names[0]}`));
    }
    return make("div", { class: "tiles" }, ...rows);
  }

  if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.classList.add("dark");
  page.append(header(), tiles());
  if (data.findings.length)
    page.append(section("Limits that were missed", make("ul", { class: "bad" }, ...data.findings.map((row) => make("li", { text: `${row.code}: ${row.message}${row.key ? `: ${row.key}` : ""}` })))));
  if (root.memory) page.append(treemap(), flame(), prefixTable(), keyTable());
  else page.append(section("No keys", make("p", { text: "There is nothing that takes memory." })));
  const grid = make("div", { class: "grid" });
  if (data.growth && data.growth.keys.length) page.append(growth());
  if (data.types.length) grid.append(types());
  if (data.sizes.length) {
    const first = data.sizes[0][0], last = data.sizes[data.sizes.length - 1][0];
    const rows = [];
    for (let least = first; least <= last; least *= 2) {
      const row = data.sizes.find((each) => each[0] === least);
      rows.push([bytes(least).replace(".0 ", " "), row ? row[1] : 0, row ? row[2] : 0]);
    }
    grid.append(columnsChart("Sizes of keys", rows, "Each pair of bars: keys of at least this size and less than twice of it."));
  }
  const words = { never: "never", past: "past", "1h": "1 h", "1d": "1 d", "7d": "7 d", "30d": "30 d", later: "later", longer: "longer" };
  if (root.keys) grid.append(columnsChart("Expiry", data.expiry.map((row) => [words[row[0]], row[1], row[2]])));
  if (data.idle.length) grid.append(columnsChart("Idle time", data.idle.map((row) => [words[row[0]], row[1], row[2]])));
  if (data.lfu.length) grid.append(columnsChart("LFU counters", data.lfu.map((row) => [String(row[0]), row[1], row[2]])));
  if (data.dbs.length > 1) grid.append(barsChart("Databases", data.dbs.map((row) => [row[0] < 0 ? "others" : `db ${row[0]}`, row[3], `${count(row[1])} keys`]), "memory"));
  if (data.compared.length) grid.append(compared());
  if (data.savings.length) grid.append(savings());
  if (data.aof) grid.append(...aof());
  page.append(grid);
  page.append(make("footer", { text: `Memory is what MEMORY USAGE answers after a restart (${data.model}); used_memory is what is allocated, with the tables. p99 is at most 1/16 too large. Made by rdbtool stats.` }));
  go(focus);
})();
