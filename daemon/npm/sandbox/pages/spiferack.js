// What the sandbox's pages do in the browser: the part of npm's client that
// matters at sign-in. Forms post by themselves; the security key posts JSON.
"use strict";

// props are the page's; a security key that was refused brings new ones.
let props = window.__context__.context;

const decode = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));

const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

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

// post is a spiferack request: JSON there, props back.
const post = (action, body) =>
  fetch(action, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-requested-with": "XMLHttpRequest",
      "manifest-hash": window.__context__.hash,
      "x-spiferack": "1",
    },
    body: JSON.stringify(body),
  });

function showSuccess(answer) {
  const success = document.getElementById("authentication-successful").content.cloneNode(true);
  if (answer.otp) {
    const code = document.createElement("code");
    code.id = "shown-otp";
    code.textContent = answer.otp;
    success.querySelector(".shown-otp").append("Your one-time password: ", code);
  }
  document.getElementById("main").replaceChildren(success);
  document.title = "npm | Authentication Successful";
}

async function useSecurityKey(button) {
  const alert = document.getElementById("webauthn_error_message");
  const again = (problem) => {
    alert.textContent = problem;
    button.textContent = "Use security key";
    button.disabled = false;
  };
  alert.textContent = "";
  button.disabled = true;
  try {
    const assertion = await signChallenge(props.publicKeyCredentialRequestOptions);
    button.textContent = "Verifying...";
    const cooldown = document.getElementById("cooldownOptin_didOptForCooldown");
    const response = await post(props.action, {
      formName: "webauthn",
      isTfaEscalation: props.isTfaEscalation,
      isNewPublishAuthEscalation: props.isNewPublishAuthEscalation,
      isNewPasswordResetFlowEscalation: props.isNewPasswordResetFlowEscalation,
      webAuthnAssertion: assertion,
      didOptForCooldown: cooldown ? cooldown.checked : false,
      originalUrl: props.originalUrl,
      csrftoken: props.csrftoken,
      errorCount: props.errorCount,
    });
    const answer = await response.json();
    if (answer["x-spiferack-redirect"]) {
      window.location = response.headers.get("location");
    } else if (response.headers.get("renderername") === "auth/authentication-successful") {
      showSuccess(answer);
    } else {
      props = { ...props, ...answer };
      again(answer.error || answer.message || "Unable to verify with your security key.");
    }
  } catch (err) {
    again(err.message);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.action === "use-security-key") {
    useSecurityKey(button);
  } else if (button.dataset.check) {
    const check = document.getElementById(button.dataset.check).content.cloneNode(true);
    document.getElementById("check").replaceChildren(check);
  } else if (button.name === "show-hide-password") {
    const input = button.form.elements.password;
    input.type = input.type === "password" ? "text" : "password";
    button.textContent = input.type === "password" ? "Show" : "Hide";
  } else if (button.closest(".banner")) {
    button.closest(".banner").remove();
  }
});

// While a form is on its way its button is disabled.
document.addEventListener("submit", (event) => {
  event.target.querySelector("button[type=submit]").disabled = true;
});
