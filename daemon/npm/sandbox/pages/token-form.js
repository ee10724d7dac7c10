// The form of a new token (A.7): all that it holds is in state, and render
// writes the state into the page. Parts that npm shows only sometimes are not
// in the page at other times.
"use strict";

const DAY = 24 * 60 * 60 * 1000;

class TokenForm {
  constructor(form, script) {
    this.form = form;
    this.script = script;
    this.opened = Date.now();
    this.syncs = [];
    this.loading = false;
    this.errors = {};
    const data = props().formData;
    this.state = {
      tokenName: "", tokenDescription: "", bypass2FA: false, allowedIPRanges: [""],
      packagesAndScopesPermission: "No access", selectedPackagesAndScopes: "",
      selectedPackages: [], selectedScopes: [],
      orgsPermission: "No access", selectedOrgs: [],
      expiration: "30", date: "", filter: "",
    };
    for (const key of Object.keys(this.state)) if (data[key] !== undefined) this.state[key] = data[key];
    if (data.expirationDays) {
      const menu = ["7", "30", "60", "90"].includes(data.expirationDays);
      this.state.expiration = menu ? data.expirationDays : "custom";
      if (!menu) this.state.date = this.day(Number(data.expirationDays));
    }
    if (data.errors) this.errors = { ...data.errors };
    delete this.errors[""];
    this.bind();
    this.render();
  }

  find(selector) { return this.form.querySelector(selector); }
  all(selector) { return [...this.form.querySelectorAll(selector)]; }

  // change is what every event ends in. What was wrong with the field is
  // forgotten.
  change(changes, field) {
    Object.assign(this.state, changes);
    delete this.errors[field];
    this.render();
  }

  writes() {
    const s = this.state;
    return [s.packagesAndScopesPermission, s.orgsPermission].some((p) => this.script.writes.includes(p));
  }

  // setPermission also resets the expiration where writing begins or ends.
  setPermission(key, value) {
    const wrote = this.script.writes.includes(this.state[key]);
    this.state[key] = value;
    const writes = this.script.writes.includes(value);
    if (writes) this.state.expiration = "7";
    else if (wrote) this.state.expiration = "30";
    for (const field of ["packagesAndScopes", "orgs", "expirationDays"]) delete this.errors[field];
    this.render();
  }

  // now is npm's clock, which the sandbox can move.
  now() { return this.script.now + Date.now() - this.opened; }
  day(days) { return new Date(this.now() + days * DAY).toISOString().slice(0, 10); }

  days() {
    const s = this.state;
    if (s.expiration !== "custom") return Number(s.expiration);
    return Math.ceil((Date.parse(s.date) - this.now()) / DAY); // NaN without a date
  }

  bind() {
    for (const input of this.all("[data-text]")) {
      const key = input.dataset.text;
      this.syncs.push(control(input, () => this.state[key], (v) => this.change({ [key]: v }, key)));
    }
    this.bindBypass();
    this.bindRadios(this.form);
    for (const details of this.all("details[data-menu]")) {
      const key = details.dataset.menu;
      menu(details, (value) =>
        key === "expiration" ? this.change({ expiration: value }, "expirationDays") : this.setPermission(key, value));
    }
    this.find("[data-add-range]").addEventListener("click", () => this.addRange());
    this.form.noValidate = true; // what is wrong is said in npm's words
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
  }

  bindBypass() {
    const box = this.find("[data-bypass]");
    if (!box) return;
    let byLabel = this.script.bypass !== "label";
    if (!byLabel) {
      box.nextElementSibling.addEventListener("click", () => {
        byLabel = true;
        setTimeout(() => { byLabel = false; });
      });
    }
    this.syncs.push(control(box, () => this.state.bypass2FA, (v) => { if (byLabel) this.change({ bypass2FA: v }); }));
  }

  bindRadios(where) {
    for (const radio of where.querySelectorAll("[data-radio]")) {
      const key = radio.dataset.radio;
      this.syncs.push(control(radio, () => this.state[key] === radio.value, (on) => {
        if (!on) return;
        if (key === "selectedPackagesAndScopes") this.change({ [key]: radio.value }, "packagesAndScopes");
        else this.setPermission(key, radio.value);
      }));
    }
  }

  addRange() {
    const ranges = this.state.allowedIPRanges;
    if (!ranges.at(-1)) return this.fail({ allowedIPRanges: this.script.texts.cidrEmpty });
    if (!ranges.every(isCIDR)) return this.fail({ allowedIPRanges: this.script.texts.cidr });
    this.change({ allowedIPRanges: [...ranges, ""] }, "allowedIPRanges");
  }

  fail(errors) {
    Object.assign(this.errors, errors);
    this.render();
  }

  // part keeps something in the page while wanted: fill binds it when it comes.
  part(place, wanted, template, fill) {
    const at = this.find(place);
    if (!at || !!at.firstElementChild === wanted) return;
    at.replaceChildren();
    if (!wanted) return;
    const made = stamp(document.querySelector(template));
    at.append(made);
    fill(made);
  }

  render() {
    const s = this.state;
    this.renderRanges();
    this.part("[data-packages]", s.packagesAndScopesPermission !== "No access", "[data-select-packages]", (e) => this.bindRadios(e));
    this.part("[data-picker]", s.selectedPackagesAndScopes === "packagesAndScopesSome", "[data-pick]", (e) => { this.picker = new PackagePicker(this, e); });
    this.part("[data-orgs]", s.orgsPermission !== "No access", "[data-select-orgs]", (e) => this.bindOrgs(e));
    this.part("[data-date]", s.expiration === "custom", "[data-date-input]", (e) => {
      e.min = this.day(1);
      this.syncs.push(control(e, () => this.state.date, (v) => this.change({ date: v }, "expirationDays")));
    });
    const date = this.find("[data-date] input");
    if (date) {
      if (this.writes()) date.max = this.day(90);
      else date.removeAttribute("max");
    }
    this.syncs = this.syncs.filter((sync) => sync.input.isConnected);
    for (const sync of this.syncs) sync();
    this.renderMenus();
    if (this.picker?.element.isConnected) this.picker.render();
    this.renderSummary();
    this.renderErrors();
    this.find("[data-write-note]").hidden = !this.writes();
    const wrong = Object.keys(this.errors).length > 0;
    document.querySelector("[data-generate]").disabled = this.loading || wrong;
  }

  renderRanges() {
    const rows = this.find("[data-ranges]");
    const ranges = this.state.allowedIPRanges;
    if (rows.children.length === ranges.length) return;
    rows.replaceChildren(...ranges.map((_, i) => {
      const row = stamp(document.querySelector("[data-range]"));
      const [label, input, remove] = row.children;
      const name = `create-gat_allowedIPRanges_${i}`;
      label.htmlFor = input.id = idOf(name);
      input.name = nameOf(name);
      label.querySelector("span").textContent = i + 1;
      remove.setAttribute("aria-label", `${remove.getAttribute("aria-label")} ${i + 1}`);
      if (i === 0) remove.remove();
      remove.addEventListener("click", () =>
        this.change({ allowedIPRanges: this.state.allowedIPRanges.filter((_, j) => j !== i) }, "allowedIPRanges"));
      this.syncs.push(control(input, () => this.state.allowedIPRanges[i] ?? "", (v) =>
        this.change({ allowedIPRanges: this.state.allowedIPRanges.with(i, v) }, "allowedIPRanges")));
      return row;
    }));
  }

  renderMenus() {
    for (const details of this.all("details[data-menu]")) {
      const value = this.state[details.dataset.menu];
      const items = [...details.querySelectorAll("[role=menuitemradio]")];
      if (items.length === 0) continue;
      for (const item of items) item.setAttribute("aria-checked", item.dataset.value === value);
      const text = items.find((i) => i.dataset.value === value)?.textContent ?? `${value}`;
      const summary = details.querySelector("summary");
      summary.textContent = text;
      if (details.dataset.menu === "expiration") {
        summary.setAttribute("aria-label", `${this.find("[data-expiration-label]").textContent} : ${text}`);
      }
    }
  }

  bindOrgs(group) {
    for (const box of group.querySelectorAll("[data-org]")) {
      const org = box.dataset.org;
      this.syncs.push(control(box, () => this.state.selectedOrgs.includes(org), (on) =>
        this.change({ selectedOrgs: this.state.selectedOrgs.filter((o) => o !== org).concat(on ? [org] : []) }, "orgs")));
    }
  }

  // permissionText is a permission as the form calls it.
  permissionText(key) {
    const value = this.state[key];
    const item = this.all(`[data-menu="${key}"] [role=menuitemradio]`).find((i) => i.dataset.value === value) ??
      this.all(`[data-radio="${key}"]`).find((r) => r.value === value)?.nextElementSibling;
    return item ? item.textContent.toLowerCase() : "";
  }

  renderSummary() {
    const s = this.state;
    const out = (key, text) => { this.find(`[data-out=${key}]`).textContent = text; };
    const some = [...s.selectedScopes, ...s.selectedPackages];
    out("packages", this.permissionText("packagesAndScopesPermission"));
    out("which", s.packagesAndScopesPermission === "No access" ? "0" : s.selectedPackagesAndScopes === "packagesAll" ? "∞" : `${some.length}`);
    out("orgs", this.permissionText("orgsPermission"));
    out("names", s.selectedOrgs.join(", "));
    const days = this.days();
    out("expires", days >= 1 ? this.day(days) : "");
  }

  // renderErrors shows each error at its field, as an alert.
  renderErrors() {
    for (const field of this.all("[data-field]")) {
      const key = field.dataset.field;
      const text = this.errors[key];
      let p = field.querySelector("[data-error]");
      if (!text) {
        p?.remove();
      } else {
        if (!p) {
          p = document.createElement("p");
          p.dataset.error = key;
          p.id = idOf(`create-gat_${key}_error_message`);
          p.setAttribute("role", "alert");
          field.append(p);
        }
        if (p.textContent !== text) p.textContent = text;
      }
      for (const input of field.querySelectorAll("input[type=text], input[type=date]")) {
        if (text) input.setAttribute("aria-invalid", "true");
        else input.removeAttribute("aria-invalid");
      }
    }
  }

  async submit() {
    if (this.loading) return;
    this.errors = problems(this.state, this.days(), this.writes(), this.script.texts);
    if (Object.keys(this.errors).length > 0) return this.render();
    this.loading = true;
    this.render();
    const s = this.state;
    const some = s.packagesAndScopesPermission !== "No access" && s.selectedPackagesAndScopes === "packagesAndScopesSome";
    const got = await post(props().createTokenURL, {
      allowedIPRanges: s.allowedIPRanges,
      bypass2FA: s.bypass2FA,
      csrftoken: props().csrftoken,
      expirationDays: `${this.days()}`,
      orgsPermission: s.orgsPermission,
      packagesAndScopesPermission: s.packagesAndScopesPermission,
      selectedOrgs: s.orgsPermission === "No access" ? [] : s.selectedOrgs,
      selectedPackages: some ? s.selectedPackages : [],
      selectedPackagesAndScopes: s.packagesAndScopesPermission === "No access" ? "" : s.selectedPackagesAndScopes,
      selectedScopes: some ? s.selectedScopes : [],
      tokenDescription: s.tokenDescription,
      tokenName: s.tokenName,
    });
    if (got.left) return;
    this.loading = false;
    const errors = got.answer?.formData?.errors;
    if (got.answer && !errors) return show(got); // the list with the token, or a check
    if (!got.answer) notify(this.script.texts.failed);
    else for (const n of got.answer.notifications) notify(n.message);
    this.errors = { ...errors };
    delete this.errors[""];
    this.render();
  }
}

starts.push(() => {
  const form = document.querySelector("[data-generate]")?.form;
  if (form) new TokenForm(form, JSON.parse(document.querySelector("[data-form-script]").textContent));
});
