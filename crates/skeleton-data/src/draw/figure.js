"use strict";
// What draws a skeleton on a canvas: the same for every page that plays clips. Of a clip it reads joints (their number), bones,
// paints (the palette's names) and people, each with places ([x, y, z] or null, frame by frame) and scores (of 100, or null).
const Figure = (() => {
  const NAMES = ["ink", "soft", "bad", "line", "panel", "mid", "lu", "ll", "ru", "rl"];
  // The palette as the page has it now, which is light or dark.
  const palette = () => {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue("--" + name).trim()]));
  };

  // A canvas in the device's own pixels, measured in the page's; empty.
  const fit = (canvas) => {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return [pen, width, height];
  };

  // One person in one frame; gives where its joints were put. `see` maps a place to [x, y, away]; `faint` is from 0 to 1; `paint`
  // gives another colour than the joint's own, or nothing.
  const draw = (pen, clip, person, frame, { see, colours, faint = 1, bone = 5, joint = 4, paint = () => null }) => {
    const v = clip.joints.length, { places, scores } = clip.people[person];
    const seen = clip.joints.map((_, j) => places[frame * v + j]).map((a) => a && see(a));
    const sure = (j) => scores ? 0.25 + 0.75 * scores[frame * v + j] / 100 : 1;
    const colour = (j) => paint(j) || colours[clip.paints[j]];
    const bones = clip.bones.filter(([a, b]) => seen[a] && seen[b]);
    bones.sort(([a, b], [c, d]) => seen[c][2] + seen[d][2] - seen[a][2] - seen[b][2]);
    pen.lineCap = "round";
    for (const [a, b] of bones) {
      const stroke = (style, width) => {
        pen.strokeStyle = style;
        pen.lineWidth = width;
        pen.beginPath();
        pen.moveTo(seen[a][0], seen[a][1]);
        pen.lineTo(seen[b][0], seen[b][1]);
        pen.stroke();
      };
      pen.globalAlpha = faint * Math.min(sure(a), sure(b));
      stroke(colour(a), bone);
      if (person) { pen.globalAlpha = faint; stroke(colours.panel, bone * 0.44); }
    }
    seen.forEach((a, j) => {
      if (!a) return;
      pen.globalAlpha = faint * sure(j);
      pen.beginPath();
      pen.arc(a[0], a[1], joint, 0, 7);
      pen.fillStyle = person ? colours.panel : colour(j);
      pen.fill();
      pen.lineWidth = joint * 0.45;
      pen.strokeStyle = colour(j);
      pen.stroke();
    });
    pen.globalAlpha = 1;
    return seen;
  };
  return { palette, fit, draw };
})();
