// Inputs as React controls them: what they hold is the page's state, and only
// an event of the person's changes that. A script that sets .value or .checked
// without a real event is overruled.
"use strict";

// control binds an input to get and set, which read and write the state, and
// returns what writes the state into the input again.
function control(input, get, set) {
  const box = input.type === "checkbox" || input.type === "radio";
  const key = box ? "checked" : "value";
  const own = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, key);
  let known = own.get.call(input);
  // A script's writing is known at once, so that an event after it is no news.
  Object.defineProperty(input, key, {
    configurable: true,
    get: () => own.get.call(input),
    set: (v) => {
      known = v;
      own.set.call(input, v);
    },
  });
  input.addEventListener(box ? "click" : "input", () => {
    const now = own.get.call(input);
    if (now !== known) {
      known = now;
      set(now);
    }
    sync();
  });
  function sync() {
    const v = get();
    if (own.get.call(input) !== v) own.set.call(input, v);
    known = own.get.call(input);
  }
  sync();
  sync.input = input;
  return sync;
}

// menu makes a details element a menu of radio items, as Primer's SelectMenu:
// choose is told the value of the item that was clicked.
function menu(details, choose) {
  details.addEventListener("click", (event) => {
    const item = event.target.closest("[role=menuitemradio]");
    if (!item) return;
    details.open = false;
    choose(item.dataset.value);
  });
}

// Menus close by Escape and by a click elsewhere.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const d of document.querySelectorAll("details[data-menu][open]")) d.open = false;
});
document.addEventListener("click", (event) => {
  for (const d of document.querySelectorAll("details[data-menu][open]")) {
    if (!d.contains(event.target)) d.open = false;
  }
});
