// From the microphone to a WAV file, which every server of ours can read.

const HEAD_BYTES = 44;
const WORDS = {
  NotAllowedError:
    "The microphone was refused. Allow it for this page in the browser's settings, then press Record again.",
  NotFoundError: "There is no microphone. Connect one, or choose a file.",
  NotReadableError: "The microphone is in use by another program. Close that, then press Record again.",
};

// Why this browser gives no microphone to this page, or null.
export function whyNoMicrophone() {
  if (!window.isSecureContext) {
    return "Browsers give the microphone only to pages from https or from this machine (localhost). Files work all the same.";
  }
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) {
    return "This browser cannot record. Files work all the same.";
  }
  return null;
}

// What to tell a person of an error of the browser.
export function inWords(error) {
  return WORDS[error.name] ?? `The microphone cannot be used: ${error.message}`;
}

// Begins to record; `stop()` of what it gives resolves to {samples, rate, wav}.
// onPiece(seconds, level in [0, 1]) is told ten times a second, onFull() when the limits are reached.
export async function record({ maxSeconds, maxBytes, onPiece, onFull }) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const context = new AudioContext();
  const release = () => {
    stream.getTracks().forEach((track) => track.stop());
    if (context.state !== "closed") context.close();
  };
  let node;
  try {
    await context.audioWorklet.addModule(new URL("recorder.js", import.meta.url));
    await context.resume();
    node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
  } catch (error) {
    release();
    throw error;
  }
  const rate = context.sampleRate;
  const most = Math.floor(Math.min(maxSeconds * rate, (maxBytes - HEAD_BYTES) / 2));
  const pieces = [];
  let length = 0;
  let finish;
  const finished = new Promise((resolve) => { finish = resolve; });
  node.port.onmessage = ({ data }) => {
    if (data === null) {
      finish();
    } else if (length < most) {
      const piece = data.subarray(0, most - length);
      pieces.push(piece);
      length += piece.length;
      onPiece(length / rate, piece.reduce((peak, x) => Math.max(peak, Math.abs(x)), 0));
      if (length >= most) onFull(length / rate);
    }
  };
  context.createMediaStreamSource(stream).connect(node);
  return {
    async stop() {
      node.port.postMessage("stop");
      await finished;
      release();
      const samples = new Float32Array(length);
      let at = 0;
      for (const piece of pieces) {
        samples.set(piece, at);
        at += piece.length;
      }
      return { samples, rate, wav: asWav(samples, rate) };
    },
  };
}

// Mono, 16 bit.
function asWav(samples, rate) {
  const size = samples.length * 2;
  const view = new DataView(new ArrayBuffer(HEAD_BYTES + size));
  const text = (at, word) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, HEAD_BYTES - 8 + size, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, size, true);
  samples.forEach((x, i) => view.setInt16(HEAD_BYTES + 2 * i, Math.max(-1, Math.min(1, x)) * 32767, true));
  return new Blob([view], { type: "audio/wav" });
}
