// The waveform, and beneath it the emotions of each segment, on one axis of time.

const SVG = "http://www.w3.org/2000/svg";
const WAVE = 84;
const NAMES = 24;
const STACK = 96;
const AXIS = 22;
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
// The same emotion has the same colour with every model.
const COLOURS = ["angry", "happy", "neutral", "sad", "fearful", "disgusted", "surprised", "bored", "calm", "excited"];

// Why a segment has no emotion, in the words that fit beside others.
const BRIEFLY = { unsure: "not sure", "unlike anything in training": "unlike training" };

// What is said of a segment: its emotion, or why there is none.
export const labelOf = (segment) => segment.emotion ?? BRIEFLY[segment.reason] ?? segment.reason;

// Emotion -> class of its colour.
export function coloursOf(emotions) {
  const free = COLOURS.map((_, i) => i).filter((i) => !emotions.includes(COLOURS[i]));
  return Object.fromEntries(
    emotions.map((name, i) => {
      const known = COLOURS.indexOf(name);
      return [name, `c${known >= 0 ? known : (free.shift() ?? i % COLOURS.length)}`];
    }),
  );
}

// Largest and smallest sample of each of so many stretches.
export function peaksOf(samples, count = 900) {
  const step = samples.length / count;
  return Array.from({ length: count }, (_, k) => {
    let low = 0;
    let high = 0;
    for (let i = Math.floor(k * step); i < Math.min(samples.length, (k + 1) * step); i += 1) {
      low = Math.min(low, samples[i]);
      high = Math.max(high, samples[i]);
    }
    return [low, high];
  });
}

// Draws into an element; gives what moves the playhead.
export function draw(place, answer, peaks) {
  const width = Math.max(200, place.clientWidth);
  const top = peaks ? WAVE : 0;
  const height = top + NAMES + STACK + AXIS;
  const duration = answer.end_s;
  const x = (seconds) => (seconds / duration) * width;
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": spoken(answer) });
  if (peaks) svg.append(element("path", { d: wavePath(peaks, width), class: "wave" }));
  const colours = coloursOf(Object.keys(answer.probabilities));
  answer.segments.forEach((segment) => {
    drawSegment(svg, segment, x(segment.start_s), x(segment.end_s), top, colours);
  });
  drawAxis(svg, duration, x, width, height);
  const head = element("line", { y1: 0, y2: height - AXIS, class: "head", visibility: "hidden" });
  svg.append(head);
  place.replaceChildren(svg);
  return (seconds) => {
    head.setAttribute("visibility", seconds > 0 ? "visible" : "hidden");
    head.setAttribute("x1", x(seconds));
    head.setAttribute("x2", x(seconds));
  };
}

function drawSegment(svg, segment, left, right, top, colours) {
  const width = right - left;
  const name = labelOf(segment);
  // About seven pixels a letter; what does not fit stands in the table.
  if (width > name.length * 7) {
    const label = element("text", { x: (left + right) / 2, y: top + NAMES - 8, "text-anchor": "middle" });
    label.textContent = name;
    svg.append(label);
  }
  let y = top + NAMES;
  // Where nobody speaks there are none.
  for (const [emotion, share] of Object.entries(segment.probabilities ?? {})) {
    svg.append(element("rect", { x: left, y, width, height: share * STACK, class: colours[emotion] }));
    y += share * STACK;
  }
  if (segment.abstained) svg.append(element("rect", { x: left, y: top + NAMES, width, height: STACK, class: "none" }));
  if (left > 0) svg.append(element("line", { x1: left, x2: left, y1: top + NAMES, y2: top + NAMES + STACK, class: "gap" }));
}

function drawAxis(svg, duration, x, width, height) {
  const most = Math.min(10, width / 45); // ticks that have room for their words
  const step = TICKS.find((seconds) => duration / seconds <= most) ?? 600;
  const y = height - AXIS;
  svg.append(element("line", { x1: 0, x2: x(duration), y1: y, y2: y, class: "axis" }));
  for (let k = 0; k * step < duration; k += 1) {
    // Words at both ends would else be cut.
    const anchor = k === 0 ? "start" : x(duration - k * step) < 20 ? "end" : "middle";
    const tick = element("text", { x: x(k * step), y: height - 5, class: "tick", "text-anchor": anchor });
    tick.textContent = step < 60 ? `${Number((k * step).toFixed(1))} s` : `${(k * step) / 60} min`;
    svg.append(tick);
  }
}

function wavePath(peaks, width) {
  const loudest = Math.max(0.01, ...peaks.map(([low, high]) => Math.max(high, -low)));
  const half = (WAVE - 8) / 2;
  const at = (k) => ((k + 0.5) * width) / peaks.length;
  const y = (value) => (WAVE / 2 - (value / loudest) * half).toFixed(1);
  const upper = peaks.map(([, high], k) => `${at(k).toFixed(1)} ${y(Math.max(high, loudest / 80))}`);
  const lower = peaks.map(([low], k) => `${at(k).toFixed(1)} ${y(Math.min(low, -loudest / 80))}`).reverse();
  return `M${upper.join("L")}L${lower.join("L")}Z`;
}

function spoken(answer) {
  const parts = answer.segments.map((one) => `${one.start_s.toFixed(1)} to ${one.end_s.toFixed(1)} s ${labelOf(one)}`);
  return `Emotions over time: ${parts.slice(0, 20).join(", ")}${parts.length > 20 ? ", and more" : ""}. The table below holds all numbers.`;
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}
