// What this browser measured, sent when the page is left: which page by its route pattern, as the server wrote it, and
// numbers. No address, no words, no cookie of its own.
(() => {
  const page = document.body.dataset.page;
  if (!page || !window.webVitals || !navigator.sendBeacon) return;
  const seen = new Map(), sent = new Set();
  const keep = ({ name, value }) => { if (!sent.has(name)) seen.set(name, (name === 'CLS' ? value : value / 1000).toFixed(5)); };
  const { onLCP, onCLS, onINP, onTTFB } = window.webVitals;
  [onLCP, onCLS, onINP, onTTFB].forEach((on) => on(keep));
  const tell = () => {
    if (!seen.size) return;
    navigator.sendBeacon('/vitals', new URLSearchParams([['page', page], ...seen]));
    seen.forEach((_, name) => sent.add(name)); // a visit counts once
    seen.clear();
  };
  // The library tells its last values when the page is hidden, by listeners on the document, which are asked before the window's.
  addEventListener('visibilitychange', () => { if (document.visibilityState === 'hidden') { tell(); setTimeout(tell); } });
  addEventListener('pagehide', () => { tell(); setTimeout(tell); });
})();
