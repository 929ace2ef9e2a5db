"use strict";
/* Draws each run's timeline from the data inside the page: throughput, lag, and a lane for each
   process, on one time axis. Colours come from the style sheet, so that dark mode and print follow. */
(() => {
  const data = JSON.parse(document.getElementById("eoscheck-data").textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const number = new Intl.NumberFormat("en");
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
  const LANE = 22;
  const PRINT_WIDTH = 660;

  const stepped = uPlot.paths.stepped({ align: 1 });
  const last = (column) => column[column.length - 1];
  const some = (column) => column.some((value) => value !== null);

  /* Bins are drawn as steps: the last one needs an end. */
  const closed = (column) => [...column, last(column)];

  function times(timeline) {
    const bins = timeline.sent_per_s.length;
    return Array.from({ length: bins + 1 }, (_, i) => +(i * timeline.bin_s).toFixed(3));
  }

  /* Stretches that overlap are one: shade says "not all work", not how many faults. */
  function merged(stretches) {
    const apart = [];
    for (const [start, end] of stretches) {
      const open = last(apart);
      if (open && start <= open[1]) open[1] = Math.max(open[1], end);
      else apart.push([start, end]);
    }
    return apart;
  }
  const healed = (fault) => fault.healed_at ?? Infinity;
  const struck = (recoveries) => merged(recoveries.map((fault) => [fault.t, healed(fault)]));
  const worksAgain = (fault) => (fault.all_recovered_after_s === null ? Infinity : fault.t + fault.all_recovered_after_s);
  const troubled = (recoveries) => merged(
    recoveries.filter((fault) => fault.outcome !== "no_input").map((fault) => [fault.t, worksAgain(fault)]));

  function drawFaults(u, figures, numbered) {
    const { ctx, bbox } = u;
    const at = (t) => u.valToPos(t, "x", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour("band");
    for (const [from, to] of troubled(figures.recoveries)) {
      const end = to === Infinity ? bbox.left + bbox.width : at(to);
      ctx.fillRect(at(from), bbox.top, end - at(from), bbox.height);
    }
    ctx.fillStyle = colour("struck");
    for (const [from, to] of struck(figures.recoveries)) {
      ctx.fillRect(at(from), bbox.top, (to === Infinity ? bbox.left + bbox.width : at(to)) - at(from), bbox.height);
    }
    ctx.fillStyle = colour("fault");
    figures.recoveries.forEach((fault) => {
      ctx.fillRect(Math.round(at(fault.t)), bbox.top, devicePixelRatio, bbox.height);
    });
    if (numbered) drawNumbers(u, figures.recoveries.map((fault) => at(fault.t)));
    ctx.restore();
  }

  function drawNumbers(u, positions) {
    const { ctx, bbox } = u;
    ctx.font = FONT.replace("12px", `${11 * devicePixelRatio}px`);
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    let free = -Infinity;
    positions.forEach((x, i) => {
      if (x < free || x < bbox.left) return;
      ctx.fillText(String(i + 1), x + 3 * devicePixelRatio, bbox.top + 2 * devicePixelRatio);
      free = x + 16 * devicePixelRatio;
    });
  }

  function drawLanes(u, lanes) {
    const { ctx, bbox } = u;
    const row = bbox.height / lanes.length;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    lanes.forEach((lane, i) => {
      for (const span of lane.spans) {
        const from = u.valToPos(span.start, "x", true);
        const to = u.valToPos(span.end, "x", true);
        ctx.fillStyle = colour(span.state);
        ctx.fillRect(from, bbox.top + i * row + row * 0.14, Math.max(to - from, 1), row * 0.72);
      }
    });
    ctx.restore();
  }

  const nameOf = (lane) => `${lane.role || lane.kind} ${lane.number}`;

  const axis = (options) => ({
    stroke: () => colour("soft"),
    font: FONT,
    grid: { stroke: () => colour("grid"), width: 1 },
    ticks: { show: false },
    ...options,
  });

  function base(width, height, group, bottom) {
    return {
      width,
      height: height + (bottom ? 26 : 0),
      padding: [6, 12, bottom ? 0 : 6, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false },
        sync: { key: group, filters: { pub: (type) => !/mouseup|mousedown|dblclick/.test(type) } },
      },
      scales: { x: { time: false } },
    };
  }

  const seconds = axis({
    size: 26,
    values: (_, ticks) => ticks.map((t) => `${number.format(t)} s`),
  });
  const noSeconds = () => axis({ size: 0, values: (_, ticks) => ticks.map(() => "") });
  const amounts = (size) => axis({ size, values: (_, ticks) => ticks.map((v) => short.format(v)), space: 34 });
  const fromZero = (_, __, max) => [0, Math.max(1, (max || 0) * 1.12)];

  /* What a wide bin's mean hides: from the lowest to the highest rate in it. */
  function extremes(low, high, name) {
    if (!high.length) return { series: [], bands: [], columns: [] };
    const edge = (label) => ({ label, stroke: colour(`${name}-edge`), width: 1, paths: stepped, points: { show: false } });
    return {
      series: [edge("highest"), edge("lowest")],
      bands: [{ series: [3, 4], fill: colour(`${name}-fill`) }],
      columns: [closed(high), closed(low)],
    };
  }

  function throughput(figures, width, left, group) {
    const { timeline } = figures;
    const wide = extremes(timeline.committed_low, timeline.committed_high, "committed");
    return [{
      ...base(width, 190, group, false),
      scales: { x: { time: false }, y: { range: fromZero } },
      axes: [noSeconds(), amounts(left)],
      series: [
        {},
        { label: "committed", stroke: colour("committed"), fill: colour("committed-fill"), width: 1.5, paths: stepped, points: { show: false } },
        { label: "sent", stroke: colour("sent"), width: 1.5, paths: stepped, points: { show: false } },
        ...wide.series,
      ],
      bands: wide.bands,
      hooks: { drawClear: [(u) => drawFaults(u, figures, true)] },
    }, [times(timeline), closed(timeline.committed_per_s), closed(timeline.sent_per_s), ...wide.columns]];
  }

  function backlog(figures, width, left, group) {
    const { timeline } = figures;
    const line = (label, name) => ({ label, stroke: colour(name), width: 1.5, paths: stepped, spanGaps: true, points: { show: false } });
    return [{
      ...base(width, 96, group, false),
      scales: { x: { time: false }, y: { range: fromZero } },
      axes: [noSeconds(), amounts(left)],
      series: [{}, line("lag", "lag"), line("LSO lag", "held")],
      hooks: { drawClear: [(u) => drawFaults(u, figures, false)] },
    }, [times(timeline), closed(timeline.lag), closed(timeline.held_back)]];
  }

  function processes(figures, width, left, group) {
    const { timeline, lanes } = figures;
    const x = times(timeline);
    return [{
      ...base(width, Math.max(1, lanes.length) * LANE + 12, group, true),
      scales: { x: { time: false }, y: { range: [0, Math.max(1, lanes.length)] } },
      axes: [seconds, axis({
        size: left,
        grid: { show: false },
        splits: lanes.map((_, i) => lanes.length - i - 0.5),
        values: () => lanes.map(nameOf),
      })],
      series: [{}, { points: { show: false } }],
      hooks: { draw: [(u) => drawLanes(u, lanes)] },
    }, [x, x.map(() => null)]];
  }

  /* One zoom for all plots of a run; the figure says what it shows. */
  function share(figure, plots) {
    let busy = false;
    for (const plot of plots) {
      (plot.hooks.setScale ||= []).push((u, key) => {
        if (key !== "x" || busy) return;
        busy = true;
        const { min, max } = u.scales.x;
        figure.dataset.shown = `${min.toFixed(3)} ${max.toFixed(3)}`;
        plots.filter((other) => other !== u).forEach((other) => other.setScale("x", { min, max }));
        busy = false;
      });
    }
  }

  function readOut(figure, figures, plots) {
    const out = figure.querySelector(".readout");
    const idle = out.textContent;
    const { timeline, lanes } = figures;
    const rate = (mean, low, high) => `${number.format(mean)}/s` + (high === undefined ? "" : ` (${number.format(low)} to ${number.format(high)})`);
    const item = (name, value) => {
      const bold = document.createElement("b");
      bold.textContent = value;
      return [` · ${name} `, bold];
    };
    const show = (u) => {
      if (u.cursor.left < 0) { out.replaceChildren(idle); return; }
      const t = Math.max(0, u.posToVal(u.cursor.left, "x"));
      const i = Math.min(Math.floor(t / timeline.bin_s), timeline.sent_per_s.length - 1);
      const parts = [`${t.toFixed(1)} s`,
        ...item("committed", rate(timeline.committed_per_s[i], timeline.committed_low[i], timeline.committed_high[i])),
        ...item("sent", `${number.format(timeline.sent_per_s[i])}/s`)];
      if (timeline.lag[i] !== null) parts.push(...item("lag", number.format(timeline.lag[i])));
      if (timeline.held_back[i] !== null) parts.push(...item("LSO lag", number.format(timeline.held_back[i])));
      for (const lane of lanes) {
        const span = lane.spans.find((s) => s.start <= t && t < s.end);
        if (span) parts.push(...item(nameOf(lane), span.state));
      }
      figures.recoveries.forEach((fault, number) => {
        if (fault.t <= t && t < healed(fault)) parts.push(...item(`fault ${number + 1}`, fault.kind));
      });
      out.replaceChildren(...parts);
    };
    plots.forEach((plot) => (plot.hooks.setCursor ||= []).push(show));
  }

  /* For fingers and keyboards: what dragging does with a mouse. */
  function buttons(figure, plots, end) {
    const show = (min, max) => plots[0].setScale("x", { min: Math.max(0, min), max: Math.min(end, max) });
    const scaled = (factor) => {
      const { min, max } = plots[0].scales.x;
      const at = Math.min(Math.max((min + max) / 2, 0), end);
      show(at - ((max - min) * factor) / 2, at + ((max - min) * factor) / 2);
    };
    const moved = (share) => {
      const { min, max } = plots[0].scales.x;
      const by = Math.min(Math.max((max - min) * share, -min), end - max);
      show(min + by, max + by);
    };
    const does = { in: () => scaled(0.5), out: () => scaled(2), earlier: () => moved(-0.5), later: () => moved(0.5), whole: () => show(0, end) };
    figure.querySelectorAll("[data-zoom]").forEach((button) => { button.onclick = does[button.dataset.zoom]; });
  }

  function draw(figure, width) {
    const index = figure.dataset.timeline;
    const figures = data.runs[index].figures;
    const left = figures.lanes.some((lane) => nameOf(lane).length > 10) ? 96 : 70;
    const hosts = figure.querySelectorAll(".plot");
    const makers = [throughput, backlog, processes];
    const plots = [];
    hosts.forEach((host, i) => {
      const target = host.querySelector(".canvas");
      const empty = (i === 1 && !some(figures.timeline.lag) && !some(figures.timeline.held_back))
        || (i === 2 && !figures.lanes.length);
      host.hidden = empty;
      if (empty) return;
      const [options, columns] = makers[i](figures, width, left, `run-${index}`);
      plots.push(new uPlot(options, columns, target));
    });
    share(figure, plots);
    buttons(figure, plots, last(times(figures.timeline)));
    readOut(figure, figures, plots);
    return plots;
  }

  const drawn = new Map();
  function redraw(figure, width) {
    (drawn.get(figure) || []).forEach((plot) => plot.destroy());
    drawn.set(figure, draw(figure, Math.floor(width)));
  }
  const all = document.querySelectorAll("[data-timeline]");
  const redrawAll = () => all.forEach((figure) => redraw(figure, figure.querySelector(".plots").clientWidth));

  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      for (const plot of drawn.get(target.parentElement) || []) {
        plot.setSize({ width: Math.floor(target.clientWidth), height: plot.height });
      }
    }
  });
  redrawAll();
  all.forEach((figure) => resized.observe(figure.querySelector(".plots")));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);

  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printing");
    document.querySelectorAll("details.faults").forEach((table) => { table.open = true; });
    all.forEach((figure) => redraw(figure, PRINT_WIDTH));
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    redrawAll();
  });
  document.documentElement.dataset.charts = String(all.length);
})();
