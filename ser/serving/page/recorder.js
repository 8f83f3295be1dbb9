// Runs beside the page: hands on what the microphone gives, in pieces of a tenth of a second.
class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Float32Array(Math.round(sampleRate / 10));
    this.filled = 0;
    this.port.onmessage = () => {
      this.send();
      this.port.postMessage(null); // that was all
    };
  }

  process([channels]) {
    const samples = channels[0] ?? [];
    for (let i = 0; i < samples.length; i += 1) {
      this.piece[this.filled] = samples[i];
      this.filled += 1;
      if (this.filled === this.piece.length) this.send();
    }
    return true;
  }

  send() {
    if (this.filled) this.port.postMessage(this.piece.slice(0, this.filled));
    this.filled = 0;
  }
}

registerProcessor("recorder", Recorder);
