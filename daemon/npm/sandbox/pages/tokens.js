// The list of tokens: copying a new one, choosing, and deleting.
"use strict";

// confirmed asks the person, in the way that the page does.
function confirmed(list) {
  switch (list.dataset.confirm) {
    case "none":
      return Promise.resolve(true);
    case "native":
      return Promise.resolve(window.confirm(list.dataset.sayConfirm));
  }
  const dialog = stamp(document.querySelector("[data-dialog]"));
  document.querySelector("main").append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("click", (event) => {
      const button = event.target.closest("[data-answer]");
      if (!button) return;
      dialog.remove();
      resolve(button.dataset.answer === "yes");
    });
  });
}

async function deleteTokens(list, tokens) {
  if (!(await confirmed(list))) return;
  const p = props();
  const got = await post(p.deleteURL, { csrftoken: p.csrftoken, tokens });
  if (got.answer) show(got);
  else if (!got.left) notify(got.response.statusText || String(got.response.status));
}

starts.push(() => {
  const list = document.querySelector("[data-tokens]");
  if (!list) return;
  const chosen = () => [...list.querySelectorAll("[data-token]:checked")].map((box) => box.dataset.token);
  const selected = list.querySelector("[data-delete-selected]");
  list.addEventListener("change", () => {
    if (selected) selected.disabled = chosen().length === 0;
  });
  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    deleteTokens(list, button === selected ? chosen() : button.dataset.delete);
  });
  const copy = document.querySelector("[data-copy]");
  copy?.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(copy.dataset.copy).catch(() => {});
    document.querySelector("[data-copied]").hidden = false;
  });
});
