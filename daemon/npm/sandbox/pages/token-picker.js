// The picker of packages and scopes in the form of a new token (A.7.1).
"use strict";

class PackagePicker {
  constructor(form, element) {
    this.form = form;
    this.element = element;
    form.syncs.push(control(element.querySelector("[data-filter]"), () => form.state.filter, (v) => form.change({ filter: v })));
    element.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      const { pickScope, pickPackage, cancel } = button?.dataset ?? {};
      if (pickScope) this.pick("selectedScopes", pickScope);
      if (pickPackage) this.pick("selectedPackages", pickPackage);
      if (cancel) this.pick(button.dataset.of, cancel);
    });
  }

  // pick chooses a name or lets it go. A scope takes the place of its packages.
  pick(key, name) {
    const { state, script } = this.form;
    if (state[key].includes(name)) {
      this.form.change({ [key]: state[key].filter((n) => n !== name) }, "packagesAndScopes");
      return;
    }
    const inScope = (p) => key === "selectedScopes" && p.startsWith(`${name}/`);
    const packages = state.selectedPackages.filter((p) => !inScope(p));
    if (packages.length + state.selectedScopes.length >= script.max) {
      this.form.fail({ packagesAndScopes: script.texts.max });
      return;
    }
    const others = key === "selectedPackages" ? packages : state[key];
    this.form.change({ selectedPackages: packages, [key]: [...others, name] }, "packagesAndScopes");
  }

  render() {
    const { state } = this.form;
    const wanted = state.filter.toLowerCase();
    let count = 0;
    for (const item of this.element.querySelectorAll("[data-pick-scope], [data-pick-package]")) {
      const name = item.dataset.pickScope ?? item.dataset.pickPackage;
      const swallowed = item.dataset.pickPackage && state.selectedScopes.includes(name.split("/")[0]);
      item.hidden = swallowed || !name.toLowerCase().includes(wanted);
      if (!item.hidden) count++;
      const on = (item.dataset.pickScope ? state.selectedScopes : state.selectedPackages).includes(name);
      item.querySelector("[data-tick]").textContent = on ? "✓" : "";
    }
    this.element.querySelector("[data-count]").textContent = count;
    const chosen = [
      ...state.selectedScopes.map((n) => ["selectedScopes", n]),
      ...state.selectedPackages.map((n) => ["selectedPackages", n]),
    ];
    this.element.querySelector("[data-chosen]").replaceChildren(...chosen.map(([key, name]) => {
      const li = stamp(document.querySelector("[data-chosen-item]"));
      li.querySelector("span").textContent = name;
      Object.assign(li.querySelector("button").dataset, { cancel: name, of: key });
      return li;
    }));
  }
}
