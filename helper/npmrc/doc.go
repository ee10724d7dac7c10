// Package npmrc changes one setting of an .npmrc and leaves every other byte of
// it alone: comments, order, spacing, CRLF, a byte order mark, a missing last
// line end.
//
// It reads a file as npm's own ini package does (ini 6, in npm 11), since what
// counts is which line npm takes, and writes the one form that every package
// manager reads alike: //host/path/:_authToken=value, with the final slash, no
// quotes, above any [section]. A value that names an environment variable is
// never overwritten: whoever wrote ${NPM_TOKEN} wants the file to hold no token.
//
// It does not know what npm makes of the other files it reads: a project's
// .npmrc and the environment win over the user's.
package npmrc
