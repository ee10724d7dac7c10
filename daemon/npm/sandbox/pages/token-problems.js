// What npm's form refuses by itself, before it asks the server (A.7.1).
"use strict";

function isCIDR(text) {
  const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  return !!m && m.slice(1, 5).every((n) => n <= 255) && m[5] <= 32;
}

// problems is npm's text for each field that is wrong.
function problems(state, days, writes, texts) {
  const found = {};
  const packages = state.packagesAndScopesPermission !== "No access";
  const orgs = state.orgsPermission !== "No access";
  const some = state.selectedPackagesAndScopes === "packagesAll" ||
    state.selectedPackagesAndScopes === "packagesAndScopesSome" &&
      state.selectedPackages.length + state.selectedScopes.length > 0;
  if (!state.tokenName.trim()) found.tokenName = texts.nameEmpty;
  else if ([...state.tokenName].length > 40) found.tokenName = texts.nameLong;
  if ([...state.tokenDescription].length > 120) found.tokenDescription = texts.description;
  if (!state.allowedIPRanges.every((r) => !r || isCIDR(r))) found.allowedIPRanges = texts.cidr;
  if (!packages && !orgs) Object.assign(found, { packagesAndScopes: texts.nothingHere, orgs: texts.nothingAbove });
  if (packages && !some) found.packagesAndScopes = texts.noPackage;
  if (orgs && state.selectedOrgs.length === 0) found.orgs = texts.noOrg;
  if (!(days >= 1)) found.expirationDays = texts.expiryPast;
  else if (writes && days > 90) found.expirationDays = texts.expiryLong;
  return found;
}
