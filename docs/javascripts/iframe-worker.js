// A browser starts no Worker for a page that is opened from disk, and the search of the site runs in
// one. There, and only there, a hidden frame takes its place: same messages, same events.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inside = frame.contentWindow;
      this.started = new Promise((resolve) => { frame.onload = () => resolve(inside); });
      inside.document.open();
      // What a worker has and a window lacks, before the worker's script runs.
      inside.answer = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      inside.document.write(
        `<script>
          window.postMessage = (data) => window.answer(data);
          window.importScripts = (...urls) => Promise.all(urls.map((url) => new Promise((done) => {
            const script = document.createElement("script");
            script.src = url;
            script.onload = done;
            document.body.append(script);
          })));
        <\/script><body><script src="${url}"><\/script>`
      );
      inside.document.close();
    }

    postMessage(data) {
      this.started.then((inside) => inside.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
}
