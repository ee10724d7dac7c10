// What the sandbox's pages do in the browser, as far as npm's client is known
// to (A.1): requests of scripts, going from page to page, security keys.
// Nothing here looks for an id, a class or a word: those can be changed.
"use strict";

// starts are what pages begin with: functions that look whether it is theirs.
const starts = [];

const distortion = JSON.parse(document.querySelector("[data-distortion]").textContent);

// fnv is the hash by which the server renames.
function fnv(prefix, text) {
  let h = 0x811c9dc5;
  for (const b of new TextEncoder().encode(text)) h = Math.imul(h ^ b, 0x01000193);
  return prefix + (h >>> 0).toString(16).padStart(8, "0");
}

const idOf = (id) =>
  distortion.salt ? fnv("i", distortion.salt + id) : id === distortion.one ? fnv("i", id) : id;

const nameOf = (name) => (distortion.names ? fnv("n", name) : name);

const props = () => window.__context__.context;

// stamp is a copy of the first element of a template.
const stamp = (template) => template.content.firstElementChild.cloneNode(true);

const decode = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));

const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const headers = () => ({
  "x-requested-with": "XMLHttpRequest",
  "manifest-hash": window.__context__.hash,
  "x-spiferack": "1",
  "x-sandbox-render": "1",
});

// post is a spiferack request: JSON there, props back. It has no answer when
// the page is left for another one, or when what came is no page.
async function post(action, body) {
  const response = await fetch(action, {
    method: "POST",
    headers: { ...headers(), "content-type": "application/json" },
    body: JSON.stringify(body),
  }).catch(() => new Response(null, { status: 503 })); // nothing came
  const answer = await response.json().catch(() => null);
  if (answer && answer["x-spiferack-redirect"]) {
    window.location = response.headers.get("location");
    return { left: true };
  }
  const renderer = response.headers.get("renderername");
  if (answer && !renderer && "user" in answer && !answer.user) { // the session has ended
    window.location.reload();
    return { left: true };
  }
  return { response, renderer, answer: renderer ? answer : null };
}

// show puts another page in the place of this one, without loading it.
function show({ response, renderer, answer }) {
  const url = response.headers.get("push-state");
  if (url) history.pushState(null, "", url);
  const { sandboxPage, ...context } = answer;
  const next = new DOMParser().parseFromString(sandboxPage, "text/html");
  Object.assign(window.__context__, {
    context, name: renderer, user: context.user, csrftoken: context.csrftoken,
  });
  Object.assign(distortion, JSON.parse(next.querySelector("[data-distortion]").textContent));
  document.title = next.title;
  document.body.replaceWith(document.adoptNode(next.body));
  document.querySelector("[autofocus]")?.focus();
  begin();
}

// navigate goes to a page of the same site. A page of another manifest, or
// what is no page, is loaded as a whole.
async function navigate(url) {
  const response = await fetch(url, { headers: headers() }).catch(() => new Response(null));
  const renderer = response.headers.get("renderername");
  const answer = await response.json().catch(() => null);
  if (answer && answer["x-spiferack-redirect"]) {
    window.location = response.headers.get("location");
  } else if (!answer || !renderer || response.headers.get("manifest-hash") !== window.__context__.hash) {
    window.location = url;
  } else {
    history.pushState(null, "", url);
    show({ response, renderer, answer });
  }
}

// notify says something at the top of the page.
function notify(text) {
  const note = stamp(document.querySelector("[data-notification]"));
  note.querySelector("span").textContent = text;
  document.querySelector("[data-notifications]").append(note);
}

// signChallenge is the assertion in webauthn-json's encoding.
async function signChallenge(options) {
  const credential = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: decode(options.challenge),
      allowCredentials: options.allowCredentials.map((c) => ({ ...c, id: decode(c.id) })),
    },
  });
  const r = credential.response;
  return {
    type: credential.type,
    id: credential.id,
    rawId: encode(credential.rawId),
    response: {
      clientDataJSON: encode(r.clientDataJSON),
      authenticatorData: encode(r.authenticatorData),
      signature: encode(r.signature),
      userHandle: r.userHandle ? encode(r.userHandle) : null,
    },
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

function showSuccess(answer) {
  const success = document.querySelector("[data-template=success]").content.cloneNode(true);
  if (answer.otp) {
    success.querySelector("[data-otp]").hidden = false;
    success.querySelector("[data-otp] code").textContent = answer.otp;
  }
  document.querySelector("main").replaceChildren(success);
  document.title = new DOMParser().parseFromString(answer.sandboxPage, "text/html").title;
}

async function useSecurityKey(button) {
  const alert = document.querySelector("[data-key-error]");
  const again = (problem) => {
    alert.textContent = problem;
    button.textContent = button.dataset.sayReady;
    button.disabled = false;
  };
  alert.textContent = "";
  button.disabled = true;
  try {
    const p = props();
    const assertion = await signChallenge(p.publicKeyCredentialRequestOptions);
    button.textContent = button.dataset.sayBusy;
    const got = await post(p.action, {
      formName: "webauthn",
      isTfaEscalation: p.isTfaEscalation,
      isNewPublishAuthEscalation: p.isNewPublishAuthEscalation,
      isNewPasswordResetFlowEscalation: p.isNewPasswordResetFlowEscalation,
      webAuthnAssertion: assertion,
      didOptForCooldown: document.querySelector("[data-cooldown]")?.checked || false,
      originalUrl: p.originalUrl,
      csrftoken: p.csrftoken,
      errorCount: p.errorCount,
    });
    if (got.left) return;
    if (!got.answer) {
      again(button.dataset.sayFailed);
    } else if (got.renderer === "auth/authentication-successful") {
      showSuccess(got.answer);
    } else if (got.answer.errorCount > 0) {
      Object.assign(p, got.answer);
      again(got.answer.error || button.dataset.sayFailed);
      for (const n of got.answer.notifications) notify(n.message);
    } else {
      show(got); // the next check
    }
  } catch (err) {
    again(err.message);
  }
}

function begin() {
  for (const start of starts) start();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (link && link.origin === location.origin && link.pathname.startsWith("/settings/")) {
    event.preventDefault();
    navigate(link.href);
    return;
  }
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.action === "use-security-key") {
    useSecurityKey(button);
  } else if (button.dataset.check) {
    const check = document.querySelector(`[data-template="${button.dataset.check}"]`).content.cloneNode(true);
    document.querySelector("[data-shown-check]").replaceChildren(check);
  } else if (button.dataset.action === "show-hide") {
    const input = button.form.querySelector("input[type=password], input[data-shown]");
    input.type = input.type === "password" ? "text" : "password";
    input.toggleAttribute("data-shown", input.type === "text");
    button.textContent = input.type === "password" ? button.dataset.sayShow : button.dataset.sayHide;
  } else if (button.closest("[data-banner]")) {
    button.closest("[data-banner]").remove();
  }
});

// While a form is on its way its button is disabled.
document.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button[type=submit]");
  if (!event.defaultPrevented && button) button.disabled = true;
});

window.addEventListener("popstate", () => window.location.reload());
document.addEventListener("DOMContentLoaded", begin);
