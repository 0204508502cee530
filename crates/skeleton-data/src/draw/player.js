(() => {
  const $ = (id) => document.getElementById(id);
  const clip = JSON.parse($("data").textContent);
  const count = clip.frames.length, v = clip.joints.length, unit = 1000;
  if (!count || !clip.people.length) return;
  $("player").hidden = false;
  const stage = $("stage"), chart = $("trace"), seek = $("seek");
  const state = { at: 0, playing: false, turn: 0, tilt: 0, zoom: 1, shown: clip.people.map(() => true) };
  let colours = {};
  const recolour = () => { colours = Figure.palette(); };
  seek.max = count - 1;
  if (clip.spatial) stage.classList.add("spatial");

  const fit = Figure.fit;
  const place = (person, frame, joint) => clip.people[person].places[frame * v + joint];
  // Turned about the upright axis, then tilted towards the viewer: [right, up, away].
  const turned = ([x, y, z = 0]) => {
    const [s, c] = [Math.sin(state.turn), Math.cos(state.turn)], [t, k] = [Math.sin(state.tilt), Math.cos(state.tilt)];
    const [right, away] = [x * c + z * s, z * c - x * s];
    return [right, y * k + away * t, away * k - y * t];
  };
  const middle = (frame) => {
    const all = clip.people.flatMap((_, p) => state.shown[p] ? clip.joints.map((_, j) => place(p, frame, j)).filter(Boolean) : []);
    if (!all.length) return [0, 0, 0];
    return [0, 1, 2].map((c) => all.map((a) => a[c] || 0).sort((a, b) => a - b)[all.length >> 1]);
  };

  const figure = (pen, person, frame, see, faint) => Figure.draw(pen, clip, person, frame, { see, faint, colours });
  const words = (pen, text, x, y, colour) => {
    pen.lineWidth = 3;
    pen.strokeStyle = colours.panel;
    pen.strokeText(text, x, y);
    pen.fillStyle = colour;
    pen.fillText(text, x, y);
  };

  const draw = () => {
    const frame = state.at, [pen, width, height] = fit(stage);
    const scale = Math.min(width, height) / 2.25 * state.zoom / unit;
    const centre = $("follow").checked ? middle(frame) : [0, 0, 0];
    const see = (a) => {
      const [x, y, z] = turned(a.map((n, c) => n - centre[c]));
      return [width / 2 + x * scale, height / 2 - y * scale, z];
    };
    clip.people.forEach((who, p) => {
      if (!state.shown[p]) return;
      if ($("ghosts").checked) {
        for (let back = 6; back; back--) if (frame >= 2 * back) figure(pen, p, frame - 2 * back, see, 0.28 - 0.035 * back);
      }
      const seen = figure(pen, p, frame, see, 1);
      pen.font = "12px ui-sans-serif,system-ui,'DejaVu Sans',sans-serif";
      if ($("names").checked) seen.forEach((a, j) => a && words(pen, clip.joints[j], a[0] + 7, a[1] - 5, colours.ink));
      const top = seen.filter(Boolean).sort((a, b) => a[1] - b[1])[0];
      if (top && clip.people.length > 1) words(pen, "person " + who.number, top[0] - 24, top[1] - 14, colours.ink);
    });
    trace();
    const missing = clip.missing[frame], step = clip.steps[frame] / unit;
    const fastest = step > 0 ? `, fastest joint ${clip.joints[clip.fastest[frame]]}: ${step.toFixed(2)} body sizes` : "";
    const nobody = missing === v * clip.people.length;
    $("status").textContent = (nobody ? "nobody" : missing ? `${missing} missing` : "no joint missing") + fastest;
    $("now").textContent = `${clip.frames[frame]} / ${clip.frames[count - 1]}`;
    seek.value = frame;
    seek.setAttribute("aria-valuetext", `frame ${clip.frames[frame]}`);
  };
  const trace = () => {
    const [pen, width, height] = fit(chart), x = (frame) => (frame + 0.5) / count * width, low = height - 6;
    const largest = Math.max(100, ...clip.steps), joints = v * clip.people.length;
    pen.fillStyle = colours.bad;
    pen.globalAlpha = 0.55;
    clip.missing.forEach((n, f) => n && pen.fillRect(f / count * width, low - Math.max(2, n / joints * low), Math.max(1, width / count), Math.max(2, n / joints * low)));
    pen.globalAlpha = 1;
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 1.3;
    pen.beginPath();
    clip.steps.forEach((s, f) => pen.lineTo(x(f), low - s / largest * (low - 4)));
    pen.stroke();
    pen.fillStyle = colours.lu;
    pen.fillRect(x(state.at) - 1, 0, 2, height);
  };

  const go = (frame) => { state.at = Math.max(0, Math.min(count - 1, frame)); draw(); };
  let last = 0, due = 0;
  const tick = (time) => {
    if (!state.playing) return;
    // A page that was hidden for long does not catch up.
    due += Math.min(time - last, 250) / 1000 * (+$("rate").value || 30) * +$("speed").value;
    last = time;
    if (due >= 1) { state.at = (state.at + Math.floor(due)) % count; due %= 1; draw(); }
    requestAnimationFrame(tick);
  };
  const play = (on) => {
    if (on === state.playing) return;
    state.playing = on;
    $("play").textContent = on ? "Pause" : "Play";
    $("play").setAttribute("aria-pressed", on);
    if (on) { last = performance.now(); due = 0; requestAnimationFrame(tick); }
  };
  const flip = (id) => { $(id).checked = !$(id).checked; draw(); };
  const turn = (dx, dy) => {
    if (!clip.spatial) return;
    state.turn += dx;
    state.tilt = Math.max(-1.57, Math.min(1.57, state.tilt + dy));
    draw();
  };
  const zoom = (factor) => { state.zoom = Math.max(0.1, Math.min(20, state.zoom * factor)); draw(); };

  $("play").onclick = () => play(!state.playing);
  seek.oninput = () => { play(false); go(+seek.value); };
  for (const id of ["follow", "names", "ghosts"]) $(id).onchange = draw;
  $("in").onclick = () => zoom(1.25);
  $("out").onclick = () => zoom(0.8);
  document.querySelectorAll("[data-turn]").forEach((button) => button.onclick = () => {
    [state.turn, state.tilt] = [button.dataset.turn * Math.PI / 180, button.dataset.tilt * Math.PI / 180];
    draw();
  });
  document.querySelectorAll("[data-person]").forEach((box) => box.onchange = () => { state.shown[box.dataset.person] = box.checked; draw(); });
  stage.onpointerdown = (event) => { if (clip.spatial) stage.setPointerCapture(event.pointerId); };
  stage.onpointermove = (event) => { if (event.buttons) turn(event.movementX * 0.01, event.movementY * 0.01); };
  stage.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1); }, { passive: false });
  const jump = (event) => { play(false); go(Math.floor(event.offsetX / chart.clientWidth * count)); };
  chart.onpointerdown = jump;
  chart.onpointermove = (event) => { if (event.buttons) jump(event); };
  const keys = {
    " ": () => play(!state.playing),
    ArrowLeft: (event) => { play(false); go(state.at - (event.shiftKey ? 10 : 1)); },
    ArrowRight: (event) => { play(false); go(state.at + (event.shiftKey ? 10 : 1)); },
    Home: () => { play(false); go(0); },
    End: () => { play(false); go(count - 1); },
    j: () => { play(false); go(clip.steps.indexOf(Math.max(...clip.steps))); },
    n: () => flip("names"), t: () => flip("ghosts"), f: () => flip("follow"),
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8),
    a: () => turn(-0.1, 0), d: () => turn(0.1, 0), w: () => turn(0, 0.1), s: () => turn(0, -0.1),
    0: () => { [state.turn, state.tilt] = [0, 0]; draw(); },
  };
  document.addEventListener("keydown", (event) => {
    const own = event.target.closest("input:not([type=checkbox]), select, summary, button");
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    // Controls keep the keys that they use themselves; the slider leaves all but its own to the page.
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[key]) return;
    if (own && !(own === seek || (own.tagName === "BUTTON" && key !== " "))) return;
    event.preventDefault();
    keys[key](event);
  });
  const redraw = () => { recolour(); draw(); };
  window.addEventListener("resize", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  redraw();
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) play(true);
})();
