// Asks once a second whether something changed, and changes only that: an opened description stays open.
const EVERY = 1000;
let known = null;

localise(document);
setInterval(look, EVERY);

async function look() {
  if (document.hidden) return;
  try {
    const headers = known ? { "If-None-Match": known } : {};
    const answer = await fetch(location.href, { headers, cache: "no-store" });
    document.getElementById("live").classList.remove("away");
    if (answer.status !== 200) return;
    known = answer.headers.get("ETag");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    localise(fresh);
    const arrived = merge(document.getElementById("posts"), fresh.getElementById("posts"));
    document.getElementById("aside").replaceWith(document.adoptNode(fresh.getElementById("aside")));
    if (arrived) document.getElementById("said").textContent = arrived === 1 ? "A new post" : `${arrived} new posts`;
  } catch {
    document.getElementById("live").classList.add("away"); // it is restarting, or gone: keep asking
  }
}

function merge(present, wanted) {
  const held = new Map([...present.children].map((item) => [item.dataset.id, item]));
  let arrived = 0;
  let place = present.firstElementChild;
  for (const item of [...wanted.children]) {
    const old = held.get(item.dataset.id);
    held.delete(item.dataset.id);
    if (old && old.dataset.version === item.dataset.version) {
      if (old === place) place = place.nextElementSibling;
      else present.insertBefore(old, place);
      continue;
    }
    if (old) {
      if (old === place) place = place.nextElementSibling;
      old.remove();
    } else {
      arrived += 1;
      item.classList.add("arriving");
    }
    present.insertBefore(document.adoptNode(item), place);
  }
  for (const gone of held.values()) gone.remove();
  return arrived;
}

function localise(root) {
  const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  for (const time of root.querySelectorAll("time")) {
    time.title = time.dateTime;
    time.textContent = shown.format(new Date(time.dateTime));
  }
}
