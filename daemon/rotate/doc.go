// Package rotate is the engine that replaces one token of an npm account by
// another without a moment in which readers have none.
//
// A rotation is a walk through the steps of a store.Generation; each step is
// committed to the journal before the work of the next begins:
//
//	planned     the new token's name is chosen and written down
//	created     npm made it; its value is sealed
//	verified    the registry takes it and it grants what was asked
//	current     readers get it, and no longer the old one
//
// From current on the old generation is retiring until npm refuses its value:
// first every delivery must take the new one, then the grace period runs, and
// who was handed the old one and says so is waited for, for a time. A generation
// that has leaked is revoked without any of it, and Withdraw revokes the one that
// was served with nothing in its place.
//
// A generation that will never be served goes to discarding and ends as
// abandoned, once npm's listing shows that nothing of its name is left.
//
// The engine promises that a failed rotation changes nothing a reader sees,
// that the old token is revoked only after the new one is served and delivered,
// that nothing npm did not confirm is believed, and that whatever a crash leaves
// behind is found by its name and revoked: Settle, run at start and by the timer,
// brings every unfinished generation to its end.
//
// It knows no browser, no HTTP and no SQL: an Account stands for npm, a Journal
// for the database, a Courier for the commands that deliver. Its callers see to
// it that one passcard is worked on by one call at a time.
package rotate
