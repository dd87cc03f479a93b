// What htmx does not do by itself: the live stream, keys, autosave, marks under the editor, focus, and the expiry screen.
// Everything here is a comfort: each page works by plain forms and links without it.
(() => {
  const $ = (sel, root = document) => root.querySelector(sel);
  const all = (sel, root = document) => [...root.querySelectorAll(sel)];
  const inField = (el) => !!el && el.matches('input:not([type=radio],[type=checkbox]), textarea, select, [contenteditable]');

  // Live: one stream a page. The server sends names only; the element asks for its own partial again.
  let stream, open = '', poll;
  const names = () => [...new Set(all('[data-live], [data-watch]').flatMap((el) => [el.dataset.live, el.dataset.watch]).filter(Boolean))].sort().join(',');
  // Nothing is swapped away under a hand: what somebody types into, has ticked, is pressing or has just sent stays, also when the
  // refresh was asked for before. Its turn comes when the hand is gone.
  const again = new Set(); // the ids of who has to ask (once more)
  let pressed = null;
  const asking = (el) => el.matches('.htmx-request, .htmx-swapping, .htmx-settling, .htmx-added');
  const busy = (el) => {
    const to = el.getAttribute('hx-target'), place = to?.startsWith('#') && $(to) || el;
    return inField(document.activeElement) && place.contains(document.activeElement) || !!pressed && place.contains(pressed)
      || !!$('[data-dirty], dialog[open], .htmx-request:not([data-live])', place) || 'hold' in el.dataset && !!$(':checked', el);
  };
  const wake = (name) => all('[data-live]').forEach((el) => {
    if (name && el.dataset.live !== name) return;
    if (busy(el) || asking(el)) again.add(el.id); else htmx.trigger(el, 'live');
  });
  const catchUp = () => again.forEach((id) => {
    const el = document.getElementById(id);
    if (el?.matches('[data-live]') && (busy(el) || asking(el))) return;
    again.delete(id);
    if (el?.matches('[data-live]')) htmx.trigger(el, 'live');
  });
  const soon = () => setTimeout(catchUp, 100);
  const press = (e) => { pressed = e.target; };
  const release = () => setTimeout(() => { pressed = null; catchUp(); }, 100); // the click comes first
  document.addEventListener('pointerdown', press, true);
  document.addEventListener('keydown', (e) => { if (e.key === ' ' || e.key === 'Enter') press(e); }, true);
  ['pointerup', 'pointercancel', 'keyup'].forEach((type) => document.addEventListener(type, release, true));
  window.addEventListener('blur', release);
  ['change', 'focusout', 'close', 'htmx:afterRequest'].forEach((type) => document.addEventListener(type, soon, true));
  document.addEventListener('htmx:afterSettle', catchUp);
  document.addEventListener('htmx:confirm', (e) => { // by its region's hx-sync htmx would drop what is sent from inside while a refresh is under way
    const el = e.detail.elt;
    if (el.parentElement?.closest('[data-live]') && !el.hasAttribute('hx-sync')) el.setAttribute('hx-sync', 'this:drop');
  });
  const polling = (on) => {
    clearInterval(poll);
    poll = on ? setInterval(() => { if (!document.hidden && !expired()) wake(); }, 5000) : 0;
  };
  const listen = () => {
    const want = document.hidden || expired() ? '' : names();
    if (want === open && stream?.readyState !== EventSource.CLOSED) return;
    stream?.close();
    polling(false);
    stream = null;
    open = want;
    if (!want) return;
    stream = new EventSource('/events?names=' + encodeURIComponent(want));
    stream.onopen = () => { polling(false); wake(); }; // what changed between the page and the stream
    stream.onerror = (e) => { if (!poll) polling(true); if (e.target.readyState === EventSource.CLOSED) look(); };
    stream.addEventListener('signed-out', () => ended());
    stream.addEventListener('gone', () => gone());
    want.split(',').forEach((n) => stream.addEventListener(n, () => wake(n)));
  };
  const mine = (page) => page.includes(`data-person="${document.body.dataset.person}"`);
  const ended = async () => { // unless the same person has signed in anew meanwhile, in this browser
    stream?.close();
    const page = await fetch(location.href).then((r) => r.text(), () => '');
    if (mine(page)) listen(); else expire();
  };
  // What the page shows is not for this person any more: the page is asked for anew, and says so. A form of their own that is
  // under way may be what ended it, and leads elsewhere.
  const gone = () => {
    if (leaving) { setTimeout(gone, 3100); return; }
    leaving = true;
    stream?.close();
    location.reload();
  };
  const look = async () => { if ($('[data-watch]') && await fetch(location.href).then((r) => r.status, () => 0) === 404) gone(); };
  // A time to undo counts down; without scripts it is a plain time.
  setInterval(() => all('[data-left]').forEach((el) => {
    el.dataset.end ||= Date.now() + el.dataset.left * 1000;
    const n = Math.ceil((el.dataset.end - Date.now()) / 1000), before = el.dataset.words ||= el.textContent;
    el.textContent = n > 0 ? `${before} (${n} s)` : before;
  }), 1000);
  document.addEventListener('visibilitychange', () => { listen(); if (!document.hidden) wake(); });
  window.addEventListener('pagehide', () => stream?.close());
  window.addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
  setInterval(listen, 30000); // a stream that was refused is tried again

  // The editor: words counted at once, marks drawn under the letters, checks after 0.6 s, saved after 2 s and on leaving.
  const bytes = new TextEncoder(), letters = new TextDecoder();
  const paint = (area) => {
    const mirror = $('.mirror', area.parentElement);
    const raw = bytes.encode(area.value);
    const marks = area.dataset.stale ? [] : all('.finding[data-start]').map((f) => ({ a: +f.dataset.start, z: +f.dataset.end, c: f.classList.contains('stop') ? 'stop' : 'ask', done: f.matches('.answered, .info') }))
      .filter((m) => m.z > m.a && m.z <= raw.length && !m.done).sort((x, y) => x.a - y.a);
    let at = 0;
    const bits = [];
    for (const m of marks) {
      if (m.a < at) continue;
      const el = Object.assign(document.createElement('mark'), { className: m.c, textContent: letters.decode(raw.slice(m.a, m.z)) });
      bits.push(letters.decode(raw.slice(at, m.a)), el);
      at = m.z;
    }
    mirror.replaceChildren(...bits, letters.decode(raw.slice(at)) + '\n');
  };
  const count = (area) => all('[data-words]').forEach((el) => { el.textContent = (area.value.match(/[\p{L}\p{N}][^\s]*/gu) || []).length; });
  let checkSoon, saveSoon;
  const save = (area) => {
    clearTimeout(saveSoon);
    if (area.dataset.dirty !== undefined && $('#autosave')) { delete area.dataset.dirty; htmx.trigger('#autosave', 'autosave'); }
  };
  const typed = (area) => {
    area.dataset.dirty = area.dataset.stale = '1';
    paint(area);
    count(area);
    clearTimeout(checkSoon);
    clearTimeout(saveSoon);
    if ($('#checks-slot[hx-post]')) checkSoon = setTimeout(() => htmx.trigger('#checks-slot', 'check'), 600);
    saveSoon = setTimeout(() => save(area), 2000);
  };
  document.addEventListener('input', (e) => {
    if (e.target.matches('[data-editor]')) typed(e.target);
    else e.target.closest('form[data-guard]')?.setAttribute('data-dirty', '');
  });
  document.addEventListener('focusout', (e) => { // a button of the form carries the words itself
    if (e.target.matches?.('[data-editor]') && !e.relatedTarget?.closest('#edit-form .signbar button, #draft-checks')) save(e.target);
  });
  const pending = () => $('#autosave') && $('[data-editor]') && ($('[data-editor]').dataset.dirty !== undefined || !!$('#autosave.htmx-request'));
  const afterSaving = (then) => {
    $('#autosave').addEventListener('htmx:afterRequest', (e) => setTimeout(() => {
      const ok = e.detail.xhr.status > 0 && e.detail.xhr.status < 400;
      if (ok && pending()) afterSaving(then); else then(ok);
    }), { once: true });
    save($('[data-editor]'));
  };
  document.addEventListener('submit', (e) => { // what is sent next must know the version that the save under way makes
    const form = e.target, answer = form.closest('#draft-checks') && form.elements.key?.value;
    clearTimeout(checkSoon);
    if (!(answer ? pending() : form.id === 'edit-form' && $('#autosave.htmx-request'))) return;
    e.preventDefault();
    e.stopImmediatePropagation();
    afterSaving(() => {
      const again = answer ? $(`#finding-${CSS.escape(answer)} form`) : form;
      if (!again) return;
      htmx.process(again); // the checks came back with the save, and htmx may not have seen their forms yet
      again.requestSubmit(answer ? undefined : e.submitter);
    });
  }, true);
  document.addEventListener('click', (e) => { // a link waits for the save too
    const link = e.target.closest('a[href]');
    if (!link || link.target || link.getAttribute('href').startsWith('#') || e.ctrlKey || e.metaKey || e.shiftKey || !pending()) return;
    e.preventDefault();
    afterSaving((ok) => { leaving = ok; location.href = link.href; });
  });
  window.addEventListener('beforeunload', (e) => { if ($('[data-dirty]') && !leaving) e.preventDefault(); });
  let leaving = false;
  document.addEventListener('htmx:afterRequest', (e) => { // what could not be saved is still to be saved
    const area = $('[data-editor]'), code = e.detail.xhr.status;
    if (e.detail.elt.id !== 'autosave' || !area) return;
    if (code && code < 400) { area.form.removeAttribute('data-dirty'); return; }
    area.dataset.dirty = '1';
    if (!code || code >= 500) saveSoon = setTimeout(() => save(area), 10000);
  });

  // Keys. Never inside a field, never with a modifier, and off by the switch that the list of keys and the settings page show.
  const keysOn = () => localStorage.getItem('keys') !== 'off';
  const visible = (el) => el.checkVisibility ? el.checkVisibility() : !!el.offsetParent;
  const ask = (id) => { const d = document.getElementById(id); if (d && !d.open) d.showModal(); };
  let go = 0;
  const rows = (step) => {
    const list = all('[data-row]');
    const next = list[Math.min(Math.max(list.indexOf(document.activeElement) + step, 0), list.length - 1)];
    next?.focus();
    return !!next;
  };
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.repeat || e.isComposing || inField(e.target) || !keysOn() || $('dialog[open]')) return;
    if (Date.now() - go < 1200) { go = 0; $(`[data-go="${CSS.escape(e.key)}"]`)?.click(); return; }
    if (e.key === 'g') { go = Date.now(); return; }
    const el = all(`[data-key="${CSS.escape(e.key)}"]`).filter(visible).pop();
    if (!el) { if (e.key === 'j' || e.key === 'k') rows(e.key === 'j' ? 1 : -1); return; }
    e.preventDefault();
    if (el.dataset.ask) ask(el.dataset.ask);
    else if (inField(el)) { el.focus(); el.select?.(); } else if (el.hash && el.pathname === location.pathname) { (($('.finding:not(.answered, .info) .act .btn') || $(el.hash))).focus(); } else el.click();
  });
  document.addEventListener('click', (e) => {
    if (e.target.closest('.formbar a, .returning a, #sign-in-again a')) leaving = true; // the words are saved, or to be left as they were
    const b = e.target.closest('[data-close], [data-dismiss], [data-print], [data-with], [data-ask][type=button]');
    if (!b) return;
    if (b.dataset.ask) ask(b.dataset.ask);
    else if ('close' in b.dataset) { if (b.closest('#expired')) uncover(); else b.closest('dialog').close(); }
    else if ('dismiss' in b.dataset) b.closest('.alert').remove();
    else if ('print' in b.dataset) print();
    else { // a suggestion: put the better words where the finding points
      const area = $('[data-editor]'), raw = bytes.encode(area.value);
      const a = letters.decode(raw.slice(0, +b.dataset.start)).length, z = letters.decode(raw.slice(0, +b.dataset.end)).length;
      area.setRangeText(b.dataset.with, a, z, 'select');
      area.focus();
      typed(area);
    }
  });
  document.addEventListener('change', (e) => { if ('keys' in e.target.dataset) { localStorage.setItem('keys', e.target.checked ? 'on' : 'off'); all('[data-keys]').forEach((k) => { k.checked = keysOn(); }); } });

  // The sign-in ended: cover the page, keep the words.
  const expired = () => !!$('#expired[open]');
  const expire = () => {
    if (expired()) return;
    const saved = $('#draft-saved time');
    if ($('[data-last-saved]') && saved) $('[data-last-saved]').textContent = 'Last saved ' + saved.textContent + '. What you typed since is still here';
    all('dialog[open]').forEach((d) => d.close());
    stream?.close();
    ask('expired');
  };
  const uncover = async () => { // for the same person only: the page is asked for once more, and says whose it is
    const words = $('#expired-said');
    words.textContent = 'Looking …';
    const reply = await fetch(location.href).then(async (r) => ({ ok: r.status < 500, page: await r.text() }), () => ({}));
    if (!reply.ok) { words.textContent = 'Countersign cannot be reached just now. Try again in a moment.'; return; }
    if (!reply.page.includes('data-person="')) { words.textContent = 'You are not signed in yet.'; return; }
    if (!mine(reply.page)) { leaving = true; location.reload(); return; }
    words.textContent = '';
    free = true;
    $('#expired').close();
  };
  let free = false;
  $('#expired')?.addEventListener('close', () => {
    if (!free) { ask('expired'); return; } // Escape opens nothing
    free = false;
    open = '';
    listen();
    wake();
    if ($('[data-editor]')) save($('[data-editor]'));
  });
  const say = (words) => {
    const box = Object.assign(document.createElement('div'), { className: 'alert ask', textContent: words });
    $('#notice')?.replaceChildren(box);
  };
  document.addEventListener('htmx:afterRequest', (e) => { const code = e.detail.xhr.status; if (code && code < 400 && e.detail.requestConfig.triggeringEvent?.type !== 'live') $('#notice')?.replaceChildren(); });
  document.addEventListener('htmx:responseError', (e) => { if (e.detail.xhr.status === 401) expire(); if (e.detail.xhr.status === 404 && e.detail.requestConfig.triggeringEvent?.type === 'live') gone(); });
  document.addEventListener('htmx:sendError', (e) => { if (e.detail.requestConfig?.triggeringEvent?.type !== 'live') say('No connection. What you typed is still here; try again in a moment.'); });
  let held = false, unsaved = false;
  document.addEventListener('htmx:beforeSwap', (e) => {
    const by = e.detail.requestConfig;
    if (by?.triggeringEvent?.type === 'live' && e.detail.xhr.status < 400 && busy(by.elt)) { again.add(by.elt.id); e.preventDefault(); return; }
    held = e.detail.target.contains(document.activeElement);
    unsaved = e.detail.xhr.status >= 400 ? !e.detail.target.matches('#notice, #draft-saved') : !!$('form[data-dirty]', e.detail.target); // the form that comes back holds it still
    if (by?.triggeringEvent?.type !== 'live') all('dialog.ask[open]').forEach((d) => d.close());
  });
  document.addEventListener('htmx:beforeOnLoad', (e) => { if (e.detail.xhr.getResponseHeader('HX-Redirect')) leaving = true; });
  document.addEventListener('submit', (e) => { if (e.target.id === 'edit-form') clearTimeout(saveSoon); leaving = true; setTimeout(() => { leaving = false; }, 3000); });

  // Answering a finding moves the message on by one; anything more was someone else, and the next save shall say so.
  document.addEventListener('htmx:afterSettle', (e) => {
    const mine = $('#draft-version'), now = $('#draft-checks')?.dataset.version;
    if (!mine || !e.detail.pathInfo?.requestPath.endsWith('/findings')) return;
    if (+now === +mine.value + 1) mine.value = now;
  });

  // After a swap: focus what changed (when a person asked for it), draw the marks again, listen to new names.
  const settle = (e) => {
    if (unsaved) $('form[data-guard]')?.setAttribute('data-dirty', '');
    unsaved = false;
    const area = $('[data-editor]');
    if (area) {
      if (e?.detail?.elt?.id === 'draft-checks' || $('#draft-checks', e?.detail?.elt)) delete area.dataset.stale;
      paint(area);
      if (document.activeElement === area) count(area);
    }
    all('[data-keys]').forEach((k) => { k.checked = keysOn(); });
    const by = e?.detail?.requestConfig?.triggeringEvent?.type, came = e?.detail?.pathInfo?.requestPath.endsWith('/card') && document.activeElement === document.body; // the draft that was waited for
    if (came || by === 'submit' || by === 'click') {
      const el = e.detail.elt.matches?.('[data-focus]') ? e.detail.elt : $('[data-focus]', e.detail.elt);
      if (el && !inField(document.activeElement)) el.focus();
    } else if (by === 'live' && held && document.activeElement === document.body) ($('[data-focus]', e.detail.elt) || $('#main')).focus(); // what had the focus is gone
    listen();
  };
  document.addEventListener('htmx:afterSettle', settle);
  const begin = () => {
    settle();
    if (/[?&]edit=1/.test(location.search) && document.activeElement === document.body) $('[data-editor]')?.focus({ preventScroll: true });
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin); else begin();
})();
