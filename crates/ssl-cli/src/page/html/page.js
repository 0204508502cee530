(() => {
  const facts = JSON.parse(document.getElementById("report").textContent);
  const all = (selector, of = document) => [...of.querySelectorAll(selector)];
  const make = (tag, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...children);
    return made;
  };
  // A stranger's words, in which nothing turns the direction of writing.
  const word = (text) => make("bdi", { textContent: plain(text) });
  const plain = (text) => text.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/gu, "\ufffd");
  const percent = (share) => (100 * share).toFixed(1) + " %";
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  let colours = Figure.palette();
  const redraws = [];

  // Movement: one clock for all that play.

  const UNIT = 4000, MISSING = -32768;
  const decoded = new WeakMap();
  // A motion as Figure draws it: places as [right, up, 0], or null.
  const clipOf = (skeleton, motion) => {
    if (decoded.has(motion)) return decoded.get(motion);
    const text = atob(motion.places), bytes = new Uint8Array(text.length);
    for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at);
    const view = new DataView(bytes.buffer), v = skeleton.joints.length;
    const person = (_, p) => {
      const places = [];
      for (let at = 0; at < motion.kept * v; at++) {
        const byte = 4 * (p * motion.kept * v + at), x = view.getInt16(byte, true);
        places.push(x === MISSING ? null : [x, view.getInt16(byte + 2, true), 0]);
      }
      return { places, scores: null };
    };
    const clip = { joints: skeleton.joints, bones: skeleton.bones, paints: skeleton.paints, people: motion.people.map(person) };
    decoded.set(motion, clip);
    return clip;
  };
  const paint = (canvas, layers, frame) => {
    const [pen, width, height] = Figure.fit(canvas), scale = Math.min(width, height) / 2.4 / UNIT;
    const see = ([x, y, z]) => [width / 2 + x * scale, height / 2 - y * scale, z];
    const size = Math.max(2, Math.min(width, height) / 60);
    for (const { clip, ...style } of layers)
      clip.people.forEach((_, person) => Figure.draw(pen, clip, person, frame, { see, colours, bone: size, joint: size * 0.8, ...style }));
  };

  const players = new Set();
  let ticking = false;
  const tick = (time) => {
    ticking = false;
    for (const player of players) {
      if (!player.playing) continue;
      ticking = true;
      // A page that was hidden, or a clip out of sight, does not catch up.
      if (player.visible) player.due += Math.min(time - player.last, 250) / 1000 * player.rate;
      player.last = time;
      if (player.due < 1) continue;
      player.at = (player.at + Math.floor(player.due)) % player.count;
      player.due %= 1;
      player.draw();
    }
    if (ticking) requestAnimationFrame(tick);
  };
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const player = target.player;
      player.visible = isIntersecting;
      if (!isIntersecting) continue;
      player.draw();
      if (!player.asked && !still.matches) player.play(true);
    }
  });
  // What plays in `box`: `layers` gives, for a canvas, what it shows.
  const playing = (box, motion, canvases, layers, button) => {
    const player = {
      at: 0, due: 0, last: 0, playing: false, visible: false, asked: false, count: motion.kept,
      // Thirty frames of the clip a second, however many of them are kept.
      rate: 30 * motion.kept / Math.max(1, motion.frames),
      draw() { canvases.forEach((canvas) => paint(canvas, layers(canvas), player.at)); },
      play(on) {
        player.playing = on && player.count > 1;
        button.textContent = player.playing ? "Pause" : "Play";
        const label = button.getAttribute("aria-label");
        if (label) button.setAttribute("aria-label", label.replace(/^(Play|Pause)/, button.textContent));
        box.dataset.playing = player.playing;
        if (!player.playing || ticking) return;
        ticking = true;
        requestAnimationFrame((time) => { for (const one of players) one.last = time; tick(time); });
      },
    };
    player.last = performance.now();
    box.player = player;
    players.add(player);
    button.onclick = () => { player.asked = true; player.play(!player.playing); gallery(box); };
    sight.observe(box);
    return player;
  };
  // The button of a gallery says what it would do.
  const gallery = (box) => {
    const of = box.closest(".gallery"), button = of && of.querySelector("button.all");
    if (!button) return;
    const any = all("figure", of).some((figure) => figure.player && figure.player.playing);
    button.textContent = any ? "Pause all" : "Play all";
  };
  const moving = (box) => {
    const set = facts.sets[box.dataset.set], motion = set.motion[box.dataset.clip], canvas = box.querySelector("canvas");
    if (!motion || !canvas) return;
    playing(box, motion, [canvas], () => [{ clip: clipOf(set.skeleton, motion) }], box.querySelector("button.play"));
  };
  const three = (box) => {
    const made = facts.runs[box.dataset.run].reconstruction.there, one = made.clips[box.dataset.made], hidden = new Set(one.hidden);
    const views = () => {
      const truth = clipOf(made.skeleton, one.truth), v = made.skeleton.joints.length;
      const seen = (person) => ({ ...person, places: person.places.map((place, at) => hidden.has(at % v) ? null : place) });
      const masked = { ...truth, people: truth.people.map(seen) };
      return {
        input: [{ clip: truth }],
        masked: [{ clip: masked }],
        made: [
          { clip: truth, paint: () => colours.soft, faint: 0.45 },
          { clip: clipOf(made.skeleton, one.made), paint: (joint) => hidden.has(joint) ? colours.bad : null },
        ],
      };
    };
    let ready;
    playing(box, one.truth, all("canvas", box), (canvas) => (ready ??= views())[canvas.dataset.view], box.querySelector("button.play"));
  };
  all("figure.card").forEach(moving);
  all("figure.three").forEach(three);
  all(".gallery").forEach((of) => {
    const button = of.querySelector("button.all"), more = of.querySelector("button.more");
    if (button) button.onclick = () => {
      const boxes = all("figure", of).filter((box) => box.player), on = !boxes.some((box) => box.player.playing);
      boxes.forEach((box) => { box.player.asked = true; if (!box.hidden) box.player.play(on); });
      button.textContent = on ? "Pause all" : "Play all";
    };
    if (button && !still.matches) button.textContent = "Pause all";
    if (more) more.onclick = () => {
      const next = all("figure.card[hidden]", of);
      next.forEach((box) => { box.hidden = false; });
      next[0].querySelector("button")?.focus();
      more.parentElement.remove();
    };
  });
  redraws.push(() => players.forEach((player) => player.visible && player.draw()));

  // A small card with a clip's movement, made as it is wanted.
  const card = (set, at, words) => {
    const moves = facts.sets[set].motion[at], id = plain(facts.sets[set].ids[at]);
    const box = make("figure", { className: "card" });
    Object.assign(box.dataset, { set, clip: at });
    if (moves) {
      const canvas = make("canvas", { className: "clip" }), button = make("button", { type: "button", className: "play", textContent: "Play" });
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `The movement of clip ${id}`);
      button.setAttribute("aria-label", `Play clip ${id}`);
      box.append(canvas, button);
    }
    const name = make("span", { className: "id" }, word(id));
    box.append(make("figcaption", {}, name, make("span", { className: "soft", textContent: words })));
    return box;
  };
  const discard = (of) => all("figure", of).forEach((box) => {
    if (!box.player) return;
    players.delete(box.player);
    sight.unobserve(box);
  });

  // Tables that are sorted by a column's head.

  all("table.sortable").forEach((table) => all("button.sort", table).forEach((button) => {
    const head = button.closest("th"), body = table.tBodies[0];
    button.onclick = () => {
      const numbers = head.classList.contains("number"), before = head.getAttribute("aria-sort");
      const up = before ? before !== "ascending" : !numbers, column = head.cellIndex;
      const value = (row) => {
        const cell = row.cells[column], text = cell.dataset.value ?? cell.textContent;
        return numbers ? parseFloat(text) || 0 : text.trim().toLowerCase();
      };
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)], order = numbers ? x - y : x.localeCompare(y);
        return up ? order : -order;
      });
      all("th", table.tHead).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      body.append(...rows);
    };
  }));

  // Confusion matrices.

  const matrix = (box) => {
    const run = facts.runs[box.dataset.run], measured = run.measured.there, guesses = run.guesses?.there;
    const { confusion, classes, orders } = measured, k = classes.length;
    const whole = box.querySelector(".whole"), detail = box.querySelector(".detail");
    const readout = box.querySelector(".readout"), cell = box.querySelector(".cell");
    const of = confusion.map((row) => row.reduce((sum, n) => sum + n, 0));
    const state = { order: orders.similarity, row: 0, column: 0, top: 0, left: 0, n: k, size: 24, names: 90, touched: false };
    const depth = (row, column) => of[row] ? Math.sqrt(confusion[row][column] / of[row]) : 0;
    let picture = null;

    // All cells, each a few pixels; drawn once for an order and a palette.
    const drawn = (size) => {
      const made = make("canvas", { width: k * size, height: k * size }), pen = made.getContext("2d"), shade = css("--shade");
      pen.fillStyle = colours.panel;
      pen.fillRect(0, 0, k * size, k * size);
      pen.fillStyle = shade;
      state.order.forEach((row, y) => state.order.forEach((column, x) => {
        const alpha = depth(row, column);
        if (!alpha) return;
        pen.globalAlpha = alpha;
        pen.fillRect(x * size, y * size, size, size);
      }));
      return made;
    };
    const layout = () => {
      const room = box.clientWidth, pen = detail.getContext("2d");
      pen.font = "13px ui-sans-serif,system-ui,'DejaVu Sans',sans-serif";
      const widest = Math.max(...classes.map((name) => pen.measureText(plain(name)).width));
      state.names = Math.ceil(Math.min(widest + 10, 170, room * 0.3));
      const cells = (width, least) => Math.max(3, Math.floor((width - state.names - 4) / least));
      const fits = (width) => cells(width, 18) >= k ? k : cells(width, 22);
      const beside = room > 820, side = Math.min(380, room);
      const some = fits(room) < k;
      state.n = Math.min(k, some ? fits(beside ? room - side - 24 : room) : fits(room));
      state.size = Math.min(34, Math.floor(((some && beside ? room - side - 24 : room) - state.names - 4) / state.n));
      whole.hidden = !some;
      whole.style.width = whole.style.height = side + "px";
      const long = state.names + state.n * state.size + 3;
      detail.style.width = detail.style.height = long + "px";
      state.top = Math.min(state.top, k - state.n);
      state.left = Math.min(state.left, k - state.n);
      picture = some ? drawn(Math.max(1, Math.round(side * (window.devicePixelRatio || 1) / k))) : null;
    };
    const shortened = (pen, text, room) => {
      let name = plain(text);
      if (pen.measureText(name).width <= room) return name;
      while (name.length > 1 && pen.measureText(name + "…").width > room) name = name.slice(0, -1);
      return name + "…";
    };
    const draw = () => {
      const { order, n, size, names, top, left } = state;
      const [pen] = Figure.fit(detail), shade = css("--shade"), on = css("--on");
      pen.textBaseline = "middle";
      for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) {
        const row = order[top + y], column = order[left + x], alpha = depth(row, column), count = confusion[row][column];
        const [px, py] = [names + x * size, names + y * size];
        pen.fillStyle = colours.panel;
        pen.fillRect(px, py, size - 1, size - 1);
        pen.globalAlpha = alpha;
        pen.fillStyle = shade;
        pen.fillRect(px, py, size - 1, size - 1);
        pen.globalAlpha = 1;
        if (!count) continue;
        pen.font = `${count > 999 ? 9 : count > 99 ? 10.5 : 12}px ui-sans-serif,system-ui,'DejaVu Sans',sans-serif`;
        pen.textAlign = "center";
        pen.fillStyle = alpha > 0.85 ? on : colours.ink;
        pen.fillText(count, px + size / 2 - 0.5, py + size / 2 + 0.5);
      }
      for (let at = 0; at < n; at++) {
        const name = (place, chosen) => {
          pen.font = `${chosen ? "600 " : ""}13px ui-sans-serif,system-ui,'DejaVu Sans',sans-serif`;
          pen.fillStyle = chosen ? colours.ink : colours.soft;
          return shortened(pen, classes[order[place]], names - 10);
        };
        pen.textAlign = "right";
        pen.fillText(name(top + at, top + at === state.row), names - 6, names + at * size + size / 2);
        pen.save();
        pen.translate(names + at * size + size / 2, names - 6);
        pen.rotate(-Math.PI / 2);
        pen.textAlign = "left";
        pen.fillText(name(left + at, left + at === state.column), 0, 0);
        pen.restore();
      }
      pen.strokeStyle = colours.ink;
      pen.lineWidth = 2;
      const [x, y] = [state.column - left, state.row - top];
      if (x >= 0 && x < n && y >= 0 && y < n) pen.strokeRect(names + x * size, names + y * size, size - 1, size - 1);
      if (!picture) return;
      const [over, width] = Figure.fit(whole), part = width / k;
      over.imageSmoothingEnabled = false;
      over.drawImage(picture, 0, 0, width, width);
      over.strokeStyle = colours.ru;
      over.lineWidth = 2;
      over.strokeRect(left * part + 1, top * part + 1, Math.max(4, n * part - 2), Math.max(4, n * part - 2));
    };
    const words = (row, column) => {
      const count = confusion[row][column], clips = of[row] === 1 ? "clip" : "clips";
      const share = of[row] ? ` (${percent(count / of[row])})` : "";
      const rest = `: ${count} of ${of[row]} ${clips}${share}`;
      return row === column ? [word(classes[row]), " is right", rest] : [word(classes[row]), " taken for ", word(classes[column]), rest];
    };
    const clips = (row, column) => {
      if (!cell || !guesses) return;
      const set = facts.sets[guesses.set], found = [];
      set.labels.forEach((label, at) => { if (label === row && guesses.guess[at] === column) found.push(at); });
      found.sort((a, b) => (b in set.motion) - (a in set.motion) || guesses.p[b] - guesses.p[a]);
      discard(cell);
      const cards = found.slice(0, 6).map((at) => make("li", {}, card(guesses.set, at, `${percent(guesses.p[at])} sure`)));
      if (found.length > 6) cards.push(make("li", { className: "soft", textContent: `and ${found.length - 6} more` }));
      cell.replaceChildren(...cards);
      all("figure", cell).forEach(moving);
    };
    // The cell at these places in the order, which comes into sight.
    const choose = (row, column) => {
      state.row = Math.max(0, Math.min(k - 1, row));
      state.column = Math.max(0, Math.min(k - 1, column));
      const into = (from, at) => Math.max(0, Math.min(k - state.n, at < from ? at : at >= from + state.n ? at - state.n + 1 : from));
      state.top = into(state.top, state.row);
      state.left = into(state.left, state.column);
      state.touched = true;
      draw();
      const [truth, guess] = [state.order[state.row], state.order[state.column]];
      readout.replaceChildren(...words(truth, guess));
      clips(truth, guess);
    };
    const under = (event) => {
      const place = (at) => Math.floor((at - state.names) / state.size);
      const [row, column] = [place(event.offsetY), place(event.offsetX)];
      return row >= 0 && column >= 0 && row < state.n && column < state.n ? [state.top + row, state.left + column] : null;
    };
    detail.onpointermove = (event) => {
      const at = under(event);
      if (at) readout.replaceChildren(...words(state.order[at[0]], state.order[at[1]]));
    };
    detail.onpointerleave = () => { if (state.touched) readout.replaceChildren(...words(state.order[state.row], state.order[state.column])); };
    detail.onclick = (event) => { const at = under(event); if (at) choose(...at); };
    whole.onclick = (event) => {
      const place = (at) => Math.floor(at / whole.clientWidth * k);
      const middle = (at) => Math.max(0, Math.min(k - state.n, at - (state.n >> 1)));
      const [row, column] = [place(event.offsetY), place(event.offsetX)];
      [state.top, state.left] = [middle(row), middle(column)];
      choose(row, column);
    };
    const keys = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-10, 0], PageDown: [10, 0],
      Home: [0, -k], End: [0, k],
    };
    detail.onkeydown = (event) => {
      const step = keys[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      choose(state.row + step[0], state.column + step[1]);
    };
    // In another order the chosen cell stays chosen; the first cell stays the first as long as none was chosen.
    box.querySelector(".order").onchange = (event) => {
      const chosen = [state.order[state.row], state.order[state.column]];
      state.order = orders[event.target.value];
      if (picture) layout();
      if (state.touched) choose(...chosen.map((of) => state.order.indexOf(of)));
      else draw();
    };
    const section = box.closest("section");
    all("button.pair", section).forEach((button) => button.onclick = () => {
      choose(state.order.indexOf(+button.dataset.truth), state.order.indexOf(+button.dataset.guess));
      detail.focus();
      box.scrollIntoView({ block: "start" });
    });
    redraws.push(() => { layout(); draw(); });
    layout();
    draw();
  };
  all(".matrix").forEach(matrix);

  // Clips in planes.

  const MARKS = 8;
  const mark = (pen, kind, x, y, r) => {
    pen.beginPath();
    if (kind % 5 === 0) pen.arc(x, y, r, 0, 7);
    else if (kind % 5 === 1) pen.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
    else if (kind % 5 === 2) { pen.moveTo(x, y - r * 1.2); pen.lineTo(x + r * 1.1, y + r * 0.8); pen.lineTo(x - r * 1.1, y + r * 0.8); pen.closePath(); }
    else if (kind % 5 === 3) { pen.moveTo(x, y - r * 1.3); pen.lineTo(x + r * 1.3, y); pen.lineTo(x, y + r * 1.3); pen.lineTo(x - r * 1.3, y); pen.closePath(); }
    else { pen.moveTo(x - r, y - r); pen.lineTo(x + r, y + r); pen.moveTo(x + r, y - r); pen.lineTo(x - r, y + r); pen.lineWidth = r * 0.7; pen.stroke(); return; }
    pen.fill();
  };
  const planes = (box) => {
    const run = facts.runs[box.dataset.run], drawn = run.planes.there, set = facts.sets[drawn[0].set], guesses = run.guesses?.there;
    const canvases = all(".plane canvas", box), readout = box.querySelector(".readout"), legend = box.querySelector(".legend");
    const shown = box.querySelector(".shown"), screen = shown.querySelector("canvas"), button = shown.querySelector("button");
    const counts = set.classes.map(() => 0);
    set.labels.forEach((label) => { if (label >= 0) counts[label]++; });
    const most = counts.map((_, at) => at).filter((at) => counts[at]).sort((a, b) => counts[b] - counts[a] || a - b).slice(0, MARKS);
    const state = { classes: most, chosen: -1, pictures: [] };
    const radius = set.ids.length > 4000 ? 2 : set.ids.length > 800 ? 3 : 4.5;
    const at = (plane, clip, side) => {
      const [x, y] = drawn[plane].places[clip], half = side / 2 - 12;
      return [side / 2 + x / 1000 * half, side / 2 - y / 1000 * half];
    };
    const series = () => [...Array(MARKS)].map((_, at) => css("--s" + at));
    const picture = (plane, side) => {
      const ratio = window.devicePixelRatio || 1, made = make("canvas", { width: side * ratio, height: side * ratio }), pen = made.getContext("2d");
      pen.scale(ratio, ratio);
      const colour = series(), place = new Map(state.classes.map((of, at) => [of, at]));
      pen.fillStyle = colours.soft;
      pen.globalAlpha = 0.4;
      const small = Math.max(1.6, radius * 0.6);
      set.labels.forEach((label, clip) => {
        if (place.has(label)) return;
        const [x, y] = at(plane, clip, side);
        pen.fillRect(x - small / 2, y - small / 2, small, small);
      });
      pen.globalAlpha = 0.85;
      set.labels.forEach((label, clip) => {
        if (!place.has(label)) return;
        const kind = place.get(label);
        pen.fillStyle = pen.strokeStyle = colour[kind];
        mark(pen, kind, ...at(plane, clip, side), radius);
      });
      return made;
    };
    const ring = () => canvases.forEach((canvas, plane) => {
      const [pen, side] = Figure.fit(canvas);
      pen.drawImage(state.pictures[plane], 0, 0, side, side);
      if (state.chosen < 0) return;
      pen.strokeStyle = colours.ink;
      pen.lineWidth = 2.5;
      pen.beginPath();
      pen.arc(...at(plane, state.chosen, side), radius + 5, 0, 7);
      pen.stroke();
    });
    const draw = () => {
      canvases.forEach((canvas, plane) => { state.pictures[plane] = picture(plane, canvas.clientWidth); });
      ring();
      const colour = series();
      const item = (of, kind) => {
        const sample = make("canvas"), entry = make("li", {}, sample, word(set.classes[of]), make("span", { className: "soft", textContent: counts[of] }));
        sample.setAttribute("aria-hidden", "true");
        legend.append(entry);
        const [pen] = Figure.fit(sample);
        pen.fillStyle = pen.strokeStyle = colour[kind];
        mark(pen, kind, 7, 7, 5);
      };
      legend.replaceChildren();
      state.classes.forEach(item);
      if (state.classes.length < counts.filter(Boolean).length) legend.append(make("li", { className: "soft", textContent: "others: small and grey" }));
    };
    const choose = (clip) => {
      if (clip === state.chosen) return;
      state.chosen = clip;
      ring();
      const name = (of) => word(of < 0 ? "no label" : set.classes[of] ?? String(of));
      const words = [make("span", { className: "id" }, word(set.ids[clip])), make("br"), name(set.labels[clip])];
      if (guesses) {
        const right = guesses.guess[clip] === set.labels[clip];
        words.push(right ? ", taken for it" : ", taken for ", ...(right ? [] : [name(guesses.guess[clip])]), `, ${percent(guesses.p[clip])} sure`);
      }
      const motion = set.motion[clip];
      if (shown.player) { players.delete(shown.player); sight.unobserve(shown); }
      screen.hidden = button.hidden = !motion;
      if (!motion) words.push(make("br"), make("span", { className: "soft", textContent: "Its movement is not in this page." }));
      readout.replaceChildren(...words);
      if (!motion) return;
      button.setAttribute("aria-label", `Play clip ${plain(set.ids[clip])}`);
      playing(shown, motion, [screen], () => [{ clip: clipOf(set.skeleton, motion) }], button);
    };
    const nearest = (plane, canvas, event) => {
      let best = 18 * 18, found = -1;
      for (let clip = 0; clip < set.ids.length; clip++) {
        const [x, y] = at(plane, clip, canvas.clientWidth), far = (x - event.offsetX) ** 2 + (y - event.offsetY) ** 2;
        if (far < best) [best, found] = [far, clip];
      }
      return found;
    };
    canvases.forEach((canvas, plane) => {
      const point = (event) => { const clip = nearest(plane, canvas, event); if (clip >= 0) choose(clip); };
      canvas.onpointermove = point;
      canvas.onclick = point;
      canvas.onkeydown = (event) => {
        const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, PageUp: -10, PageDown: 10 };
        const n = set.ids.length, step = steps[event.key];
        const to = event.key === "Home" ? 0 : event.key === "End" ? n - 1 : step ? (Math.max(state.chosen, step > 0 ? -1 : 0) + step + n) % n : -1;
        if (to < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        choose(to);
      };
    });
    box.querySelector(".colour").onchange = (event) => {
      state.classes = event.target.value === "most" ? most : [+event.target.value];
      draw();
    };
    box.querySelector(".find").oninput = (event) => {
      const text = event.target.value.trim().toLowerCase();
      if (!text) return;
      const found = set.ids.findIndex((id) => id.toLowerCase().includes(text));
      if (found >= 0) choose(found);
      else readout.textContent = "No clip's id has that.";
    };
    redraws.push(draw);
    draw();
  };
  all(".planes").forEach(planes);

  // Another width or another palette: everything anew, once.

  let due = 0;
  const redraw = () => {
    cancelAnimationFrame(due);
    due = requestAnimationFrame(() => { colours = Figure.palette(); redraws.forEach((one) => one()); });
  };
  window.addEventListener("resize", redraw);
  window.addEventListener("beforeprint", () => { colours = Figure.palette(); redraws.forEach((one) => one()); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  still.addEventListener("change", () => { if (still.matches) players.forEach((player) => player.play(false)); });
  document.documentElement.dataset.ready = "true";
})();
