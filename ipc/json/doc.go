// Package json is the JSON of the messages in package ipc, in a tenth of the
// size that encoding/json would be in the helper. rotd has encoding/json; the
// tests hold the two against each other.
//
// It knows what messages are made of: structs with json tags (omitempty and
// omitzero, no embedding), pointers, slices, maps with strings for keys (to
// write), strings, booleans, integers, and whatever has MarshalJSON and
// UnmarshalJSON (time.Time, secret.Text). Anything else is an error. It writes
// what encoding/json writes with SetEscapeHTML(false), and reads what that
// reads. After an error what was read into is not defined.
//
// No error of reading quotes what was read: it may hold a token.
package json
