// The list of security keys: adding one and removing one.
"use strict";

// makeCredential is a new key's attestation in webauthn-json's encoding.
async function makeCredential(options) {
  const credential = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: decode(options.challenge),
      user: { ...options.user, id: decode(options.user.id) },
      excludeCredentials: options.excludeCredentials.map((c) => ({ ...c, id: decode(c.id) })),
    },
  });
  const r = credential.response;
  return {
    type: credential.type,
    id: credential.id,
    rawId: encode(credential.rawId),
    response: {
      clientDataJSON: encode(r.clientDataJSON),
      attestationObject: encode(r.attestationObject),
      transports: r.getTransports(),
    },
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

async function addKey(form) {
  const button = form.querySelector("button[type=submit]");
  const alert = form.querySelector("[data-key-problem]");
  alert.textContent = "";
  button.disabled = true;
  try {
    const p = props();
    const name = form.querySelector("input[type=text]").value;
    const attestation = await makeCredential(p.publicKeyCredentialCreationOptions);
    const got = await post(p.addURL, { csrftoken: p.csrftoken, name, webAuthnAttestation: attestation });
    if (got.answer) return show(got);
    if (!got.left) alert.textContent = String(got.response.status);
  } catch (err) {
    alert.textContent = err.message;
  }
  button.disabled = false;
}

starts.push(() => {
  const form = document.querySelector("[data-add-key]");
  if (!form) return;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    addKey(form);
  });
  document.querySelector("[data-devices]").addEventListener("click", async (event) => {
    const id = event.target.closest("button")?.dataset.removeKey;
    if (!id) return;
    const got = await post(props().removeURL, { csrftoken: props().csrftoken, id });
    if (got.answer) show(got);
  });
});
