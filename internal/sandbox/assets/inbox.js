// Keeps the inbox fresh: asks every two seconds whether anything changed, and then takes the new boxes.
// Without scripts the page has a Refresh link that does the same.
"use strict";
(() => {
  const live = document.querySelector("[data-live]");
  if (!live) return;
  let seen = null;

  async function renew() {
    const answer = await fetch("/", { cache: "no-store" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(live.id);
    if (!fresh) return;
    const held = document.activeElement && live.contains(document.activeElement) ? document.activeElement.id : "";
    live.replaceChildren(...fresh.childNodes);
    if (held) document.getElementById(held)?.focus({ preventScroll: true });
  }

  async function look() {
    if (document.hidden) return;
    try {
      const answer = await fetch("/inbox.json", { method: "HEAD", cache: "no-store" });
      const tag = answer.headers.get("ETag");
      if (seen !== null && tag !== seen) await renew();
      seen = tag;
    } catch {
      // The sandbox is restarting; the next look will tell.
    }
  }

  look();
  setInterval(look, 2000);
})();
