"use strict";
// Follows a run or a project: a socket says that something has happened, the server says what (an hx-get of #live).
(() => {
  const SILENCE_MS = 40_000; // heartbeats come every 15 s
  const REFRESH_MS = 1000; // between two looks at most
  const INCOMPLETE_MS = 5000; // until the next look, where part could not be read
  const live = document.getElementById("live");
  const connection = document.getElementById("connection");
  const state = () => document.getElementById("state");
  let skewMs = 0; // by which this machine's clock is ahead of the server's
  let isFollowing = false; // connected, and the bridge hears Redis
  let stoppedAt = null;
  let chart = null;

  // --- what the page says of its own state ---

  const clock = (date) => date.toLocaleTimeString([], {hour: "2-digit", minute: "2-digit", second: "2-digit"});

  function say(name, text) {
    if (connection.dataset.state === name && connection.textContent === text) return;
    connection.dataset.state = name;
    connection.textContent = text;
    isFollowing = name === "live";
    if (isFollowing || name === "ended") stoppedAt = null;
    else stoppedAt ??= new Date();
    tick();
  }

  const lost = () => say("lost", `Connection lost at ${clock(stoppedAt ?? new Date())}. What you see is as of then; the page tries again by itself.`);
  const redisAway = () => say("lost", `No news since ${clock(stoppedAt ?? new Date())}: the bridge cannot hear Redis. The run goes on meanwhile.`);

  // --- clocks and times ---

  function span(ms) {
    const seconds = Math.max(Math.floor(ms / 1000), 0);
    const two = (n) => String(n).padStart(2, "0");
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  }

  function tick() {
    if (!isFollowing && document.querySelector("[data-counted]")) return; // they stand still
    const now = Date.now() - skewMs;
    for (const each of document.querySelectorAll("[data-since]")) {
      const since = Date.parse(each.dataset.since);
      if (!Number.isNaN(since)) each.textContent = span(now - since);
      each.dataset.counted = "";
    }
  }

  function localTimes() {
    for (const each of document.querySelectorAll("time[data-local]")) {
      const at = new Date(each.dateTime);
      if (!Number.isNaN(at.valueOf())) {
        const isToday = at.toDateString() === new Date().toDateString();
        each.textContent = isToday ? clock(at) : at.toLocaleString([], {dateStyle: "medium", timeStyle: "short"});
        each.title = each.dateTime;
      }
    }
  }

  // --- the server's account, asked for at most once a second, and not while nobody looks ---

  let lookedAt = 0;
  let timer = null;
  let isStale = false;

  function refresh(afterMs = 0) {
    if (document.hidden) { isStale = true; return; }
    if (timer !== null) return;
    timer = setTimeout(() => {
      timer = null;
      lookedAt = Date.now();
      isStale = false;
      htmx.trigger(live, "gather:changed");
    }, Math.max(afterMs, lookedAt + REFRESH_MS - Date.now(), 0));
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden && isStale) refresh(); });
  document.addEventListener("htmx:after:swap", () => { if (state()) taken(); });
  document.addEventListener("htmx:response:error", (event) => {
    if (event.detail.ctx.response.status !== 401) refresh(INCOMPLETE_MS);
  });
  document.addEventListener("htmx:error", () => refresh(INCOMPLETE_MS));

  function taken() {
    const told = state().dataset;
    skewMs = Date.now() - Date.parse(told.at);
    if (told.title) document.title = told.title;
    if (told.complete !== "true") refresh(INCOMPLETE_MS);
    if (told.final === "true") end();
    localTimes();
    tick();
    draw();
  }

  // --- the socket ---

  let socket = null;
  let failures = 0;
  let silence = null;
  let hasEnded = false;
  const address = new URL(live.dataset.socket, location.href);
  address.protocol = address.protocol.replace("http", "ws");

  function end() {
    hasEnded = true;
    clearTimeout(silence);
    say("ended", "");
    socket?.close();
  }

  function heard(frame) {
    clearTimeout(silence);
    silence = setTimeout(() => socket?.close(), SILENCE_MS);
    if (frame.type === "hello") failures = 0;
    if (frame.type === "heartbeat" && !frame.live) return redisAway();
    const wasLive = isFollowing;
    if (!hasEnded) say("live", "Live");
    if (frame.type !== "heartbeat" || !wasLive) refresh();
  }

  function connect() {
    if (hasEnded) return;
    const mine = new WebSocket(address);
    socket = mine;
    silence = setTimeout(() => mine.close(), SILENCE_MS);
    mine.onmessage = (event) => heard(JSON.parse(event.data));
    mine.onclose = () => {
      clearTimeout(silence);
      if (hasEnded || socket !== mine) return;
      lost();
      if (failures > 0) refresh(); // leads to the sign-in page where the session has ended
      setTimeout(connect, Math.random() * Math.min(5000, 1000 * 2 ** failures++));
    };
  }

  // --- the chart, drawn from the table beside it ---

  const PALETTE = ["#0b7d73", "#b4570b", "#5b5bd6", "#b02a6b", "#3b7a1a", "#0b6fb8", "#8a6d00", "#8b3fb0"];
  const PALETTE_DARK = ["#4fd1c5", "#f6a35c", "#a5a5ff", "#ff86b8", "#95d66b", "#6cbcff", "#e5c34d", "#d29bff"];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let isPrinting = false; // paper is white

  function datasets(isDark) {
    const rows = [...document.querySelectorAll("table.scores tbody tr")];
    const lines = rows.map((row) => ({...row.dataset, points: JSON.parse(row.dataset.points)})).filter((row) => row.points.length);
    // Beyond as many as can be told apart, those at work and the latest are in colour.
    const weight = (line, place) => (line.look === "running" ? 1000 : 0) + place;
    const named = new Set([...lines].sort((a, b) => weight(b, lines.indexOf(b)) - weight(a, lines.indexOf(a))).slice(0, PALETTE.length));
    const colours = isDark ? PALETTE_DARK : PALETTE;
    const quiet = isDark ? "#5a6572" : "#b9c1ca";
    let used = 0;
    const last = Math.max(2, ...lines.map((line) => line.points.at(-1)[0]));
    const curves = lines.map((line) => {
      const colour = named.has(line) ? colours[used++] : quiet;
      return {
        label: line.name, isNamed: named.has(line), data: line.points.map(([x, y]) => ({x, y})), borderColor: colour,
        backgroundColor: colour, borderWidth: named.has(line) ? 2.5 : 1, pointRadius: named.has(line) ? 3 : 0, tension: 0.2,
      };
    });
    const thresholds = [...new Set(lines.map((line) => Number(line.threshold)).filter(Boolean))].map((y) => ({
      label: `Threshold ${y}`, isNamed: true, data: [{x: 1, y}, {x: last, y}], borderColor: isDark ? "#9aa7b4" : "#5d6975",
      backgroundColor: "transparent", borderWidth: 1.5, borderDash: [6, 5], pointRadius: 0,
    }));
    return {curves: [...curves, ...thresholds], last};
  }

  function draw() {
    const canvas = document.getElementById("curve");
    if (!canvas || !window.Chart) return;
    const isDark = dark.matches && !isPrinting;
    const {curves, last} = datasets(isDark);
    if (chart && chart.canvas !== canvas) { chart.destroy(); chart = null; }
    const ink = isDark ? "#c8d1da" : "#3f4a55";
    const grid = isDark ? "#2b3440" : "#e4e8ec";
    const ticks = {color: ink};
    const options = {
      animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true,
      interaction: {mode: "nearest", axis: "x", intersect: false},
      scales: {
        x: {type: "linear", min: 1, max: last, title: {display: true, text: "Iteration", color: ink}, ticks: {...ticks, precision: 0}, grid: {color: grid}},
        y: {min: 0, max: 100, title: {display: true, text: "Quality", color: ink}, ticks, grid: {color: grid}},
      },
      plugins: {legend: {position: "bottom", labels: {color: ink, boxWidth: 12, boxHeight: 2, filter: (item, data) => data.datasets[item.datasetIndex].isNamed}}},
    };
    if (chart === null) chart = new Chart(canvas, {type: "line", data: {datasets: curves}, options});
    else { chart.data.datasets = curves; chart.options = options; chart.update("none"); }
    canvas.parentElement.classList.toggle("empty-chart", !curves.length);
  }

  dark.addEventListener("change", draw);
  addEventListener("beforeprint", () => { isPrinting = true; draw(); chart?.resize(); });
  addEventListener("afterprint", () => { isPrinting = false; draw(); chart?.resize(); });

  // --- the question before cancelling ---

  document.addEventListener("click", (event) => {
    const dialog = document.getElementById("cancel");
    if (dialog && event.target.closest?.("#ask-cancel")) {
      event.preventDefault();
      dialog.showModal();
    } else if (dialog?.open && (event.target === dialog || event.target.closest?.("#cancel [value=no]"))) {
      event.preventDefault();
      dialog.close();
    }
  });

  taken();
  setInterval(() => { if (isFollowing) tick(); }, 1000);
  connect();
})();
