// What the console's pages cannot do by themselves. All of it is extra: without scripts, every form still works.
(() => {
  "use strict";
  const body = document.body;
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // The zone of this browser, for the times on the next page.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (body.dataset.zone === "auto" && zone) {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `nexus-zone=auto:${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
  }
  const insecure = $("#insecure");
  if (insecure && !window.isSecureContext) insecure.hidden = false;

  // Every request of htmx carries the token that forms carry.
  body.addEventListener("htmx:configRequest", (event) => {
    const token = $("meta[name=form-token]");
    if (token) event.detail.headers["X-Form-Token"] = token.content;
  });

  function toast(text, tone) {
    const place = $("#toasts");
    if (!place) return;
    const one = document.createElement("p");
    one.className = tone ? `notice ${tone}` : "notice";
    one.textContent = text;
    place.append(one);
    setTimeout(() => one.remove(), 8000);
  }

  // Live: the number that waits in the title, notices, and whether the connection stands.
  const title = document.title;
  function count() {
    const waiting = Number($("[data-waiting]")?.dataset.waiting ?? 0);
    document.title = waiting > 0 ? `(${waiting}) ${title}` : title;
  }
  count();
  body.addEventListener("htmx:afterSettle", count);
  let lost = false;
  body.addEventListener("htmx:sseOpen", () => { lost = false; body.dataset.live = "on"; });
  body.addEventListener("htmx:sseError", () => {
    body.dataset.live = "off";
    if (!lost) toast(body.dataset.lost, "warn");
    lost = true;
  });
  body.addEventListener("htmx:sseMessage", (event) => {
    if (event.detail.type === "notice") toast(event.detail.data);
  });

  // A browser has six connections to a host that speaks HTTP/1.1, and someone may have more pages open than that. So a
  // page lets its own go while nobody looks at it. Of those with a number in the title one goes on, and tells the others.
  const others = new BroadcastChannel("live");
  let live;
  class Live extends EventTarget {
    constructor(url) {
      super();
      this.url = url;
      live?.close();
      live = this;
      this.look();
    }
    get readyState() {
      return this.source?.readyState ?? EventSource.CONNECTING;
    }
    look() {
      this.close();
      if (!document.hidden) this.open();
      else if ($("[data-waiting]")) this.wait();
    }
    open() {
      this.source = new EventSource(this.url);
      this.source.onopen = (event) => this.onopen(event);
      this.source.onerror = (event) => this.onerror(event);
      for (const type of ["changed", "notice"]) {
        this.source.addEventListener(type, ({ data }) => {
          this.tell(type, data);
          if (type === "changed" && document.hidden) others.postMessage(type);
        });
      }
    }
    // Until it is this page's turn to be the one that goes on.
    wait() {
      this.turn = new AbortController();
      const { signal } = this.turn;
      navigator.locks
        .request("live", { signal }, () => new Promise((done) => { this.done = done; this.open(); }))
        .catch((error) => { if (!signal.aborted) throw error; });
    }
    tell(type, data) {
      this.dispatchEvent(new MessageEvent(type, { data }));
    }
    close() {
      body.dataset.live = "off";
      this.source?.close();
      this.source = undefined;
      this.turn?.abort();
      this.done?.();
    }
  }
  htmx.createEventSource = (url) => new Live(url);
  document.addEventListener("visibilitychange", () => live?.look());
  others.addEventListener("message", ({ data }) => { if (live && !live.source) live.tell(data, ""); });

  // Drafts: what is typed stays in this browser until the hub has it.
  const keep = (form) => `draft:${body.dataset.person}:${form.dataset.draft}`;
  for (const form of all("form[data-draft]")) {
    const text = $("textarea", form);
    const kept = localStorage.getItem(keep(form));
    const note = $(".restored", form);
    // Once htmx listens, so that the hub gets it.
    document.addEventListener("DOMContentLoaded", () => {
      if (kept === null || kept === text.value) return;
      text.value = kept;
      if (note) note.hidden = false;
      text.dispatchEvent(new Event("input", { bubbles: true }));
    });
    text.addEventListener("input", () => localStorage.setItem(keep(form), text.value));
    form.addEventListener("htmx:afterRequest", (event) => {
      const { xhr, successful } = event.detail;
      if (successful && event.detail.requestConfig.parameters.message === text.value) localStorage.removeItem(keep(form));
      if (xhr && xhr.status === 401) toast(body.dataset.signedOut, "bad");
    });
    form.addEventListener("submit", () => {
      // The page that answers says whether it was taken; if not, the text is still there to be sent again.
      sessionStorage.setItem("sent", keep(form));
    });
  }
  const done = $("[data-taken]");
  if (done && sessionStorage.getItem("sent")) localStorage.removeItem(sessionStorage.getItem("sent"));
  sessionStorage.removeItem("sent");

  // Whoever signs out leaves no text behind for the next.
  for (const form of all("form[action='/sign-out']")) {
    form.addEventListener("submit", () => {
      for (const key of Object.keys(localStorage)) if (key.startsWith("draft:")) localStorage.removeItem(key);
    });
  }

  for (const button of all("[data-shows]")) {
    button.hidden = false;
    button.addEventListener("click", () => document.getElementById(button.dataset.shows).showModal());
  }

  // Single keys, where the reader wants them, and never while they type.
  function step(by) {
    const links = all("[data-walk] a");
    if (!links.length) return;
    const at = links.findIndex((link) => link === document.activeElement);
    const now = at >= 0 ? at : links.findIndex((link) => link.getAttribute("aria-current"));
    const next = links[Math.min(Math.max(now + by, 0), links.length - 1)];
    if (next.closest("[data-walk=open]")) next.click(); else next.focus();
  }
  const keys = {
    j: () => step(1),
    k: () => step(-1),
    a: () => $("[data-key=a]")?.click(),
    r: () => $("[data-key=r]")?.focus(),
    "/": () => $("[type=search]")?.focus(),
    "?": () => $("#shortcuts")?.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (!body.dataset.shortcuts || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (at.isContentEditable || at.matches("textarea, select, dialog *, input:not([type=checkbox], [type=radio])")) return;
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
})();
