// The page works offline once it has been loaded: this service worker keeps its files. The export fills
// in the two constants; a page with other contents has another cache, and replaces this one: page.js
// then shows it, or says that there is one.

const VERSION = "/* version */", FILES = [/* files */];
const PREFIX = `ocr_simple ${registration.scope} `;

addEventListener("install", event => event.waitUntil(
  caches.open(PREFIX + VERSION).then(cache => cache.addAll(FILES.map(name => new Request(name, {cache: "no-cache"}))))
    .then(skipWaiting)));

addEventListener("activate", event => event.waitUntil(caches.keys().then(names => Promise.all(
  names.filter(name => name.startsWith(PREFIX) && name !== PREFIX + VERSION).map(name => caches.delete(name))))
  .then(() => clients.claim())));

addEventListener("fetch", event => {
  const address = event.request.url.split(/[?#]/)[0];
  event.respondWith(caches.open(PREFIX + VERSION)
    .then(cache => cache.match(address))
    // a browser refuses a kept answer that was redirected, as from index.html to the folder
    .then(kept => kept?.redirected ? new Response(kept.body, kept) : kept ?? fetch(event.request)));
});
