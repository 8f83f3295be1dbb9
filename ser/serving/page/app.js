// What a person does with the page, and what the server says.

import { coloursOf, draw, labelOf, peaksOf } from "./chart.js";
import { inWords, record, whyNoMicrophone } from "./microphone.js";

const MIB = 2 ** 20;
const REASONS = {
  "no speech": "Nobody speaks here, as far as the server hears.",
  "unlike anything in training": "This is unlike anything that the model was trained on.",
};
// Format of the server -> what a person calls it, and the ending of its file.
const FILES = { csv: ["CSV", "csv"], json: ["JSON", "json"], rttm: ["RTTM", "rttm"], audacity: ["Audacity labels", "txt"] };
const LONG_WAIT_MS = 4000;
const byId = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(share * 100)} %`;
const setWidth = (element, share) => element.style.setProperty("width", `${share * 100}%`);
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

let limits = { max_bytes: 32 * MIB, max_duration_s: 600, min_duration_s: 0.1 };
let running = null; // the recording that is being made
let isStarting = false;
let asked = null; // cancels the question that waits for its answer
let shown = null; // {answer, peaks}, to be drawn again at another width
let offered = []; // addresses of the recording and of the files about it
let moveHead = () => {};

function say(text) {
  byId("status").textContent = text;
  byId("error").textContent = "";
}

function fail(text) {
  byId("status").textContent = "";
  byId("error").textContent = text;
}

async function introduce() {
  try {
    const response = await fetch("version");
    const { model, limits: found } = await response.json();
    limits = found;
    const named = model.name ? `${model.name}, version ${model.version}` : "An unregistered model";
    byId("model").textContent = `${named}, answers: ${model.emotions.join(", ")}.`;
    byId("synthetic").hidden = !model.synthetic;
  } catch {
    fail("The server does not say which model answers. Is it still running?");
  }
  const minutes = `${Number((limits.max_duration_s / 60).toFixed(1))} minutes`;
  byId("limit").textContent = `Up to ${minutes}.`;
  byId("file-limit").textContent = `, up to ${minutes} and ${Math.round(limits.max_bytes / MIB)} MiB`;
}

// ---- the microphone

async function toggle() {
  if (isStarting) return;
  if (running) {
    await finish("");
    return;
  }
  isStarting = true;
  forget();
  say("Waiting for the microphone …");
  try {
    running = await record({
      maxSeconds: limits.max_duration_s,
      maxBytes: limits.max_bytes,
      onPiece: (seconds, level) => {
        byId("time").textContent = clock(seconds);
        setWidth(byId("level"), Math.min(1, Math.sqrt(level))); // quiet speech shall be seen
      },
      onFull: (seconds) => finish(`Stopped at ${clock(seconds)}: a recording may not be longer. `),
    });
    say("Recording. Press the button again to ask.");
  } catch (error) {
    fail(inWords(error));
  }
  isStarting = false;
  showRecording();
}

function showRecording() {
  byId("record").classList.toggle("on", running !== null);
  byId("record-label").textContent = running ? "Stop and ask" : "Record";
  byId("recording").hidden = running === null;
  byId("record-hint").hidden = running !== null;
  byId("time").textContent = "0:00";
}

async function finish(said) {
  if (!running) return;
  const recording = running;
  running = null;
  const { samples, rate, wav } = await recording.stop();
  showRecording();
  if (samples.length < limits.min_duration_s * rate) {
    fail("The recording is empty: nothing came from the microphone. Record for a second or more.");
    return;
  }
  await ask(wav, "recording", said, () => samples);
}

// ---- a file

async function take(files) {
  const [file] = files;
  if (!file) return;
  if (file.size > limits.max_bytes) {
    forget();
    fail(`${file.name} is too large: ${(file.size / MIB).toFixed(1)} MiB, at most ${Math.round(limits.max_bytes / MIB)} MiB are taken. Cut it, or save it as FLAC or MP3.`);
    return;
  }
  await ask(file, named(file), files.length > 1 ? `The first of ${files.length} files. ` : "", () => decoded(file));
}

// The name of a file as the server takes it: not too long, and of characters that can be printed.
function named(file) {
  return Array.from(file.name.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "_")).slice(-100).join("") || "recording";
}

// The samples of a file for its picture; null where the browser cannot read what the server can.
async function decoded(file) {
  const context = new OfflineAudioContext(1, 1, 16000);
  try {
    const audio = await context.decodeAudioData(await file.arrayBuffer());
    return audio.getChannelData(0);
  } catch {
    return null;
  }
}

// ---- question and answer

// Sends a recording; `samplesOf` gives its samples once the server has taken it.
async function ask(recording, name, said, samplesOf) {
  forget();
  say(`${said}Listening …`);
  const cancel = new AbortController();
  asked = cancel;
  const waiting = setTimeout(() => say(`${said}Listening … A long recording takes a while.`), LONG_WAIT_MS);
  cancel.signal.addEventListener("abort", () => clearTimeout(waiting));
  byId("answer").setAttribute("aria-busy", "true");
  try {
    const answer = await answerTo(recording, name, cancel.signal).finally(() => clearTimeout(waiting));
    const samples = await samplesOf();
    if (asked !== cancel) return;
    say(said);
    show(answer, samples && peaksOf(samples), recording, name);
  } catch (error) {
    if (asked === cancel) fail(said + error.message);
  }
  byId("answer").removeAttribute("aria-busy");
}

async function answerTo(recording, name, signal) {
  const type = recording.type.startsWith("audio/") ? recording.type : "application/octet-stream";
  let response;
  try {
    response = await fetch(`predict?format=json&name=${encodeURIComponent(name)}`, { method: "POST", body: recording, headers: { "Content-Type": type }, signal });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (response.ok) return response.json();
  if (response.status === 503) throw new Error("The server has too many clients at this moment. Try again in a few seconds.");
  const refusal = await response.json().catch(() => null);
  throw new Error(refusal ? `The server says: ${refusal.message}.` : `The server failed with status ${response.status}.`);
}

function forget() {
  asked?.abort();
  asked = null;
  shown = null;
  byId("answer").hidden = true;
  const player = byId("player");
  player.pause();
  player.removeAttribute("src");
  offered.forEach((address) => URL.revokeObjectURL(address));
  offered = [];
}

// An address of something that the page holds, until the next question.
function addressOf(content) {
  const address = URL.createObjectURL(content);
  offered.push(address);
  return address;
}

function show(answer, peaks, recording, name) {
  byId("answer").hidden = false;
  showVerdict(answer);
  showBars(answer.probabilities);
  showFacts(answer);
  showTable(answer);
  showFiles(answer, name);
  byId("player").src = addressOf(recording);
  shown = { answer, peaks };
  redraw();
  bringIntoView(byId("answer"));
}

// On a phone the answer is below the edge.
function bringIntoView(element) {
  if (element.getBoundingClientRect().top < innerHeight * 0.6) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
}

function showVerdict(answer) {
  const [most, share] = Object.entries(answer.probabilities).reduce((a, b) => (b[1] > a[1] ? b : a));
  byId("verdict").textContent = answer.emotion ?? "No emotion";
  byId("verdict-more").textContent = answer.abstained
    ? (REASONS[answer.reason] ?? `The model is not sure. Most probable is ${most}, with ${percent(share)}.`)
    : `with a probability of ${percent(share)}`;
  if (answer.synthetic) byId("verdict-more").textContent += " (SYNTHETIC)";
}

function showBars(probabilities) {
  const colours = coloursOf(Object.keys(probabilities));
  const most = Math.max(...Object.values(probabilities));
  byId("bars").replaceChildren(
    ...Object.entries(probabilities).map(([emotion, share]) => {
      const fill = made("span", "", `fill ${colours[emotion]}`);
      setWidth(fill, share);
      const track = made("span", "", "track");
      track.setAttribute("aria-hidden", "true");
      track.append(fill);
      const row = made("li", "", share === most ? "most" : "");
      row.append(made("span", emotion), track, made("span", percent(share), "share"));
      return row;
    }),
  );
}

function showFacts(answer) {
  const facts = [["Length", `${answer.end_s.toFixed(1)} s`]];
  if (answer.speech_share !== null) facts.push(["Speech", percent(answer.speech_share)]);
  if (answer.familiarity !== null) facts.push(["Familiarity", answer.familiarity.toFixed(2)]);
  byId("facts").replaceChildren(
    ...facts.map(([name, value]) => {
      const pair = made("div");
      pair.append(made("dt", name), made("dd", value));
      return pair;
    }),
  );
}

function showTable(answer) {
  const emotions = Object.keys(answer.probabilities);
  const row = (cells, kind) => {
    const line = made("tr");
    line.append(...cells.map((text) => made(kind, text)));
    return line;
  };
  const head = row(["Time", "Emotion", ...emotions], "th");
  head.querySelectorAll("th").forEach((cell) => { cell.scope = "col"; });
  const lines = answer.segments.map((one) => {
    const shares = emotions.map((name) => (one.probabilities ? percent(one.probabilities[name]) : "–"));
    const line = row(["", labelOf(one), ...shares], "td");
    line.firstChild.append(timeOf(one));
    return line;
  });
  byId("table").replaceChildren(head, ...lines);
  const many = answer.segments.length;
  byId("segments-hint").textContent = many > 1 ? `(${many} segments)` : "(one segment)";
  byId("numbers").open = many > 1;
}

// When a segment is; pressed, it is played.
function timeOf(segment) {
  const button = made("button", `${segment.start_s.toFixed(1)} to ${segment.end_s.toFixed(1)} s`, "time");
  button.type = "button";
  button.title = "Play from here";
  button.addEventListener("click", () => {
    const player = byId("player");
    player.currentTime = segment.start_s;
    player.play().catch(() => {}); // the player says itself what it cannot play
  });
  return button;
}

function showFiles({ files, ...answer }, name) {
  const stem = name.replace(/\.[^.]*$/, "") || name;
  const contents = { ...files, json: `${JSON.stringify(answer)}\n` };
  byId("files").replaceChildren(
    ...Object.entries(FILES).map(([format, [said, ending]]) => {
      const link = made("a", said);
      link.href = addressOf(new Blob([contents[format]], { type: "text/plain" }));
      link.download = `${stem}.${ending}`;
      const item = made("li");
      item.append(link);
      return item;
    }),
  );
}

function made(name, text = "", kind = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

function redraw() {
  if (!shown) return;
  moveHead = draw(byId("chart"), shown.answer, shown.peaks);
  moveHead(byId("player").currentTime);
}

// ---- what happens when

function listen() {
  byId("record").addEventListener("click", toggle);
  byId("file").addEventListener("change", async ({ target }) => {
    const files = [...target.files];
    target.value = ""; // so that the same file can be chosen again
    await take(files);
  });
  const drop = byId("drop");
  // Everywhere: a file beside the field must not replace the page.
  window.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  window.addEventListener("dragleave", () => drop.classList.remove("over"));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
  const player = byId("player");
  player.addEventListener("timeupdate", () => moveHead(player.currentTime));
  byId("chart").addEventListener("click", ({ clientX, currentTarget }) => {
    const { left, width } = currentTarget.getBoundingClientRect();
    if (shown) player.currentTime = ((clientX - left) / width) * shown.answer.end_s;
  });
  new ResizeObserver(redraw).observe(byId("chart"));
}

function offerMicrophone() {
  const reason = whyNoMicrophone();
  byId("record").disabled = reason !== null;
  if (reason) byId("microphone-hint").textContent = reason;
  byId("limit").hidden = reason !== null;
}

listen();
offerMicrophone();
introduce();
