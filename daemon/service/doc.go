// Package service makes rotd a service, of systemd or of launchd, and speaks to
// the service manager that it runs under.
//
// From outside (rotd install, start, status …) it is Spec, what to install, and
// Control, which does it: it writes the files that package packaging holds as
// templates, so that what stands in them is decided in one place, and has the
// manager read them. Starting, stopping and telling one manager from another are
// kardianos/service's; writing the files is not, as it overwrites none, knows no
// socket units, looks for a user's in one place only, and leaves half a file
// where a disk is full.
//
// From inside (rotd run) it is Sockets, which systemd has made; Notify, which
// tells systemd when rotd is ready, what it is at and that it lives; and
// NewJournalHandler, which gives the journal its priorities.
//
// On macOS the property lists are checked for what they say, and never yet by
// running there.
package service
