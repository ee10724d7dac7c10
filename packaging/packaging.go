// Package packaging holds the files that make rotd a service: systemd's units
// and launchd's property lists, as templates. They are the only copy: rotd
// install fills them in for where it stands (daemon/service), and so does the
// build of the packages, for fixed paths.
package packaging

import "embed"

// Units are the templates, by their paths below this directory.
//
//go:embed systemd launchd
var Units embed.FS
